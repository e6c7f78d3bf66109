package tfelastic

import java.nio.ByteBuffer

/**
 * What runs models: one runtime with one set of kernels.
 *
 * Whatever a backend throws, the selector goes on with the next best variant and reports it.
 */
interface Backend {
    /** Name and version of the runtime, such as `LiteRT 2.3.0`, as a measured table records it. */
    val runtime: String

    /** The set of kernels, such as `xnnpack`; null where unknown. */
    val kernels: String?

    /** Opens a model, which keeps `model.bytes` while it is open. */
    fun open(model: VariantModel, threads: Int): OpenModel
}

/**
 * A variant's .tflite, and what the manifest says of it.
 *
 * @property bytes The .tflite in a direct buffer.
 * @property sha256 Its SHA-256, in lower-case hexadecimal: a name for what is kept in files.
 * @property inputs Its inputs in its own order; `outputs` likewise.
 */
class VariantModel(
    val bytes: ByteBuffer,
    val sha256: String,
    val inputs: List<TensorDetails>,
    val outputs: List<TensorDetails>,
)

/** An open model. Used and closed by one thread at a time. */
interface OpenModel : AutoCloseable {
    /** The model's inputs in its own order; `outputs` likewise. */
    val inputs: List<TensorDetails>
    val outputs: List<TensorDetails>

    /** Runs once: reads all of each direct input buffer, and fills each direct output buffer from its start. */
    fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>)
}

/** What a runtime says of a tensor; null where it does not say. A tensor that is not quantized has scale 1. */
data class TensorDetails(
    val shape: List<Int>? = null,
    val dtype: Dtype? = null,
    val scale: Float? = null,
    val zeroPoint: Int? = null,
)
