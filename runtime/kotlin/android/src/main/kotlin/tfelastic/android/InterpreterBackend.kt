package tfelastic.android

import java.nio.ByteBuffer
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.TensorFlowLite
import tfelastic.Backend
import tfelastic.BackendException
import tfelastic.Dtype
import tfelastic.OpenModel
import tfelastic.TensorDetails
import tfelastic.VariantModel

/**
 * LiteRT's `Interpreter`, on the CPU: it reads variants in place, of any number and type of inputs and outputs.
 *
 * @param usesXnnpack Whether XNNPACK's kernels run what they can; otherwise LiteRT's own do.
 */
class InterpreterBackend(private val usesXnnpack: Boolean = true) : Backend {
    // Part of the key of a kept table: the runtime of Google Play services changes by itself.
    override val runtime: String by lazy { "LiteRT ${TensorFlowLite.runtimeVersion()} Interpreter" }
    override val kernels: String = if (usesXnnpack) "xnnpack" else "builtin"

    override fun open(model: VariantModel, threads: Int): OpenModel {
        val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(usesXnnpack)
        return OpenInterpreter(Interpreter(model.bytes, options))
    }
}

private class OpenInterpreter(private val interpreter: Interpreter) : OpenModel {
    override val inputs: List<TensorDetails>
    override val outputs: List<TensorDetails>

    init {
        try {
            interpreter.allocateTensors()
            inputs = List(interpreter.inputTensorCount) { detailsOf(interpreter.getInputTensor(it)) }
            outputs = List(interpreter.outputTensorCount) { detailsOf(interpreter.getOutputTensor(it)) }
        } catch (cause: Throwable) {
            interpreter.close()
            throw cause
        }
    }

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        interpreter.runForMultipleInputsOutputs(
            Array<Any>(inputs.size) { inputs[it] },
            outputs.withIndex().associateTo(HashMap<Int, Any>()) { (index, output) -> index to output },
        )
    }

    override fun close() = interpreter.close()

    private fun detailsOf(tensor: Tensor): TensorDetails {
        val dtype = when (tensor.dataType()) {
            DataType.INT8 -> Dtype.INT8
            DataType.UINT8 -> Dtype.UINT8
            DataType.INT16 -> Dtype.INT16
            DataType.INT32 -> Dtype.INT32
            DataType.FLOAT32 -> Dtype.FLOAT32
            else -> throw BackendException("the type ${tensor.dataType()} is none of a bundle's")
        }
        val quantization = tensor.quantizationParams()
        // A tensor that is not quantized has scale 0 here.
        val scale = quantization.scale.let { if (it == 0f) 1f else it }
        return TensorDetails(tensor.shape().toList(), dtype, scale, quantization.zeroPoint)
    }
}
