package tfelastic.android

import android.content.res.AssetManager
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.nio.channels.FileChannel
import tfelastic.Bundle

/**
 * Opens a bundle among the app's assets: mapped where it is stored as it is (`noCompress += "elastic"`), else read.
 *
 * @throws tfelastic.BundleException The asset is no bundle, is damaged, or is of another format.
 * @throws java.io.IOException There is no such asset.
 */
fun openBundle(assets: AssetManager, name: String): Bundle {
    val descriptor = try {
        assets.openFd(name)
    } catch (_: FileNotFoundException) {
        // The build tools compressed it, or it came in a compressed split.
        return assets.open(name).use { Bundle.read(it, name) }
    }
    return descriptor.use { asset ->
        FileInputStream(asset.fileDescriptor).use { stream ->
            Bundle.of(stream.channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.length), name)
        }
    }
}
