package tfelastic

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.security.MessageDigest

/** What a measured table holds for: one device, one version of the runtime, one bundle. */
data class ProfileKey(
    val device: String,
    val runtime: String,
    val bundleSha256: String,
    val threads: Int = 1,
    val kernels: String? = null,
) {
    internal val fileName: String
        get() = "${sha256Of(ByteBuffer.wrap(listOf(device, runtime, bundleSha256, threads, kernels).joinToString("\n").toByteArray()))}.json"
}

/**
 * Measured tables in a folder, one file per key.
 *
 * A file that is cut off, or of another key, counts as none: a table is measured again more easily than mended.
 */
class ProfileCache(private val folder: File) {
    /** Returns the table kept for the key; null where there is none that can be used. */
    fun load(key: ProfileKey): Profile? {
        val profile = try {
            Profile.load(File(folder, key.fileName))
        } catch (_: ProfileException) {
            return null
        } catch (_: IOException) {
            return null
        }
        return profile.takeIf { keyOf(it) == key }
    }

    /** Keeps a table under its own key: its device's name, runtime, bundle, threads and kernels. */
    fun store(profile: Profile) {
        val text = ByteBuffer.wrap(profile.toJson().toByteArray())
        writeAtomically(File(folder, keyOf(profile).fileName), text)
    }

    private fun keyOf(profile: Profile) = ProfileKey(
        profile.device["name"].toString(),
        profile.runtime ?: throw ProfileException("a table that is kept names its runtime"),
        profile.bundleSha256 ?: throw ProfileException("a table that is kept names its bundle's SHA-256"),
        profile.threads,
        profile.kernels,
    )
}

/**
 * Expanded variants in a folder, for runtimes that open files alone, each named by its SHA-256.
 *
 * @param limitBytes Beyond this total the files that were not used for longest are deleted; the one that was asked
 *     for last stays, whatever its size.
 */
class ModelFiles(private val folder: File, private val limitBytes: Long) {
    /** Returns the file that holds the model, written if there is none, or none that is intact. */
    @Synchronized
    fun file(model: ByteBuffer, sha256: String): File {
        val file = File(folder, "$sha256.tflite")
        if (digestOf(file) != sha256) writeAtomically(file, model)
        file.setLastModified(System.currentTimeMillis())
        evict(file)
        return file
    }

    private fun evict(kept: File) {
        val others = folder.listFiles { file -> file.name.endsWith(".tflite") && file != kept }.orEmpty()
        var total = kept.length() + others.sumOf(File::length)
        for (file in others.sortedBy(File::lastModified)) {
            if (total <= limitBytes) break
            total -= file.length()
            file.delete()
        }
    }

    private fun digestOf(file: File): String? {
        if (!file.isFile) return null
        val digest = MessageDigest.getInstance("SHA-256")
        file.forEachBlock { block, count -> digest.update(block, 0, count) }
        return hex(digest.digest())
    }
}

/** A reader sees the old file or the whole new one, also after a crash. */
private fun writeAtomically(file: File, bytes: ByteBuffer) {
    val folder = file.absoluteFile.parentFile
    if (!folder.isDirectory && !folder.mkdirs() && !folder.isDirectory) throw IOException("cannot make the folder $folder")
    val temporary = File.createTempFile(file.name, ".tmp", folder)
    try {
        FileOutputStream(temporary).use { out ->
            val rest = bytes.duplicate()
            while (rest.hasRemaining()) out.channel.write(rest)
            out.fd.sync()
        }
        if (!temporary.renameTo(file)) throw IOException("cannot rename $temporary to $file")
    } finally {
        temporary.delete()
    }
}
