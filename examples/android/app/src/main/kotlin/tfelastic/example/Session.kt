package tfelastic.example

import android.content.Context
import android.os.Build
import java.io.File
import tfelastic.Backend
import tfelastic.Bundle
import tfelastic.InputKind
import tfelastic.Profile
import tfelastic.ProfileCache
import tfelastic.ProfileKey
import tfelastic.Selector
import tfelastic.android.InterpreterBackend
import tfelastic.android.openBundle
import tfelastic.calibrate

/** The bundle among the app's assets, and a selector that runs it with latencies measured on this phone. */
class Session private constructor(val bundle: Bundle, val selector: Selector) : AutoCloseable {
    /** The network's only input, `[1, height, width, channels]`. */
    val imageShape: List<Int> = bundle.manifest.inputs.single().shape

    override fun close() = selector.close()

    companion object {
        const val ASSET = "model.elastic"

        /**
         * Opens the bundle. The first time its variants are measured, so call it off the main thread, in the foreground.
         *
         * @param onVariant Called with the variant that is measured next and the share that is done; may throw to stop.
         */
        fun open(context: Context, budgetUs: Int, onVariant: (String, Double) -> Unit): Session {
            val bundle = openBundle(context.assets, ASSET)
            check(bundle.manifest.inputs.singleOrNull()?.kind == InputKind.IMAGE) {
                "this example runs networks of one image, $ASSET has the inputs ${bundle.manifest.inputs.map { it.name }}"
            }
            val backend = InterpreterBackend()
            val profile = measuredTable(context, bundle, backend, onVariant)
            return Session(bundle, Selector.open(bundle, backend, budgetUs, profile))
        }

        /** Returns the table kept for this phone, this runtime and this very bundle, else a new one; null if one variant fails. */
        private fun measuredTable(
            context: Context,
            bundle: Bundle,
            backend: Backend,
            onVariant: (String, Double) -> Unit,
        ): Profile? {
            // The build's fingerprint changes with each update of the system, and kernels' speed may as well.
            val device = "${Build.MANUFACTURER} ${Build.MODEL}, ${Build.FINGERPRINT}".take(200)
            val cache = ProfileCache(File(context.filesDir, "profiles"))
            val key = ProfileKey(device, backend.runtime, bundle.payloadSha256, kernels = backend.kernels)
            cache.load(key)?.let { return it }
            val about = mapOf("name" to device, "sdk" to Build.VERSION.SDK_INT)
            return calibrate(bundle, backend, about, onVariant = onVariant).profile?.also(cache::store)
        }
    }
}
