package tfelastic

import java.io.File
import java.nio.file.Files

/** The golden bundles, which all languages read. */
object Bundles {
    private val folder = File(System.getProperty("conformance"))

    fun file(name: String): File = File(folder, "$name.elastic")

    /** One input, an image; variants w100, w050 and w025 of scores 0.875, 0.75 and 0.625. */
    val golden: Bundle by lazy { Bundle.open(file("golden")) }

    /** Three inputs and four outputs; lower scores are better. */
    val interfaces: Bundle by lazy { Bundle.open(file("interfaces")) }

    /** A table in which w100, w050 and w025 take 4, 2 and 1 ms, and a switch 10 ms. */
    fun table(bundle: Bundle = golden, threads: Int = 1, kernels: String? = null, switchUs: Int? = null): Profile {
        val latencies = bundle.variants.withIndex().associate { (index, variant) ->
            val p50Us = 4000 shr index
            variant.name to Latency(p50Us, p50Us + p50Us / 20, 20, switchUs = switchUs)
        }
        return Profile(mapOf("name" to "a test"), threads, latencies, "Stub 1", kernels, bundle.payloadSha256)
    }

    val image: InputValue get() = InputValue.Pixels(ByteArray(4 * 6 * 3) { it.toByte() })
}

fun temporaryFolder(): File = Files.createTempDirectory("tfelastic").toFile().apply { deleteOnExit() }

fun Inference.completed(): Inference.Completed = when (this) {
    is Inference.Completed -> this
    is Inference.Failed -> throw error
}
