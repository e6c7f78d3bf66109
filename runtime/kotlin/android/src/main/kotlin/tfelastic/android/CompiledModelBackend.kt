package tfelastic.android

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import java.nio.ByteBuffer
import tfelastic.Backend
import tfelastic.BackendException
import tfelastic.Dtype
import tfelastic.ModelFiles
import tfelastic.OpenModel
import tfelastic.TensorDetails
import tfelastic.VariantModel

/**
 * LiteRT's `CompiledModel`, which opens files alone: a variant is kept in `files` while it may be needed.
 *
 * It takes networks of one input and one output, of int8, int32 or float32: the order of several, and other types,
 * are beyond what `CompiledModel` tells and takes in Kotlin. `InterpreterBackend` has no such limits.
 *
 * @param files Where variants are kept, such as a folder in `Context.getCacheDir()`.
 * @param version LiteRT's version, which it does not tell: that of the app's dependency.
 * @param accelerator What runs the operations that it can; the CPU runs the others.
 */
class CompiledModelBackend(
    private val files: ModelFiles,
    version: String,
    private val accelerator: Accelerator = Accelerator.CPU,
) : Backend {
    override val runtime: String = "LiteRT $version CompiledModel"
    override val kernels: String = if (accelerator == Accelerator.CPU) "xnnpack" else accelerator.name.lowercase()

    override fun open(model: VariantModel, threads: Int): OpenModel {
        val input = model.inputs.singleOrNull() ?: throw BackendException("CompiledModel runs networks of one input")
        val output = model.outputs.singleOrNull() ?: throw BackendException("CompiledModel runs networks of one output")
        val options = CompiledModel.Options(setOf(accelerator, Accelerator.CPU))
        options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        val file = files.file(model.bytes, model.sha256)
        return OpenCompiledModel(CompiledModel.create(file.path, options), input, output)
    }
}

private class OpenCompiledModel(
    private val model: CompiledModel,
    private val input: TensorDetails,
    private val output: TensorDetails,
) : OpenModel {
    private val inputBuffers: List<TensorBuffer>
    private val outputBuffers: List<TensorBuffer>

    init {
        try {
            for (tensor in listOf(input, output)) {
                if (tensor.dtype !in TYPES) throw BackendException("CompiledModel has no ${tensor.dtype?.jsonName} in Kotlin")
            }
            inputBuffers = model.createInputBuffers()
            outputBuffers = model.createOutputBuffers()
        } catch (cause: Throwable) {
            model.close()
            throw cause
        }
    }

    // What the model says of its tensors takes their names, which a bundle does not have.
    override val inputs: List<TensorDetails> = inputBuffers.map { TensorDetails() }
    override val outputs: List<TensorDetails> = outputBuffers.map { TensorDetails() }

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        write(inputs[0], inputBuffers[0])
        model.run(inputBuffers, outputBuffers)
        read(outputBuffers[0], outputs[0])
    }

    override fun close() {
        (inputBuffers + outputBuffers).forEach(TensorBuffer::close)
        model.close()
    }

    private fun write(from: ByteBuffer, to: TensorBuffer) {
        val bytes = from.duplicate().order(from.order())
        when (input.dtype) {
            Dtype.INT8 -> to.writeInt8(ByteArray(bytes.remaining()).also { bytes.get(it) })
            Dtype.INT32 -> to.writeInt(IntArray(bytes.remaining() / 4).also { bytes.asIntBuffer().get(it) })
            else -> to.writeFloat(FloatArray(bytes.remaining() / 4).also { bytes.asFloatBuffer().get(it) })
        }
    }

    private fun read(from: TensorBuffer, to: ByteBuffer) {
        val bytes = to.duplicate().order(to.order())
        when (output.dtype) {
            Dtype.INT8 -> bytes.put(from.readInt8())
            Dtype.INT32 -> bytes.asIntBuffer().put(from.readInt())
            else -> bytes.asFloatBuffer().put(from.readFloat())
        }
    }

    private companion object {
        val TYPES = setOf(Dtype.INT8, Dtype.INT32, Dtype.FLOAT32)
    }
}
