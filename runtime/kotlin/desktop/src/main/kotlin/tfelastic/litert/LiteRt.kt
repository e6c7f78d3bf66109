package tfelastic.litert

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.LongByReference
import com.sun.jna.ptr.PointerByReference
import java.io.File
import java.nio.ByteBuffer
import tfelastic.Backend
import tfelastic.BackendException
import tfelastic.Dtype
import tfelastic.OpenModel
import tfelastic.TensorDetails
import tfelastic.VariantModel

/**
 * LiteRT on a desktop JVM, through its C library.
 *
 * @param library The library's file, such as `libLiteRt.so` of the Python package ai-edge-litert.
 * @param version LiteRT's version, which the library does not tell.
 * @param usesXnnpack Whether XNNPACK's kernels run what they can; otherwise LiteRT's own do.
 */
class LiteRt(library: File, version: String, private val usesXnnpack: Boolean = true) : Backend, AutoCloseable {
    private val api = Native.load(library.absolutePath, LiteRtLibrary::class.java)
    private val environment = handle("LiteRtCreateEnvironment") { api.LiteRtCreateEnvironment(0, null, it) }

    override val runtime: String = "LiteRT $version"
    override val kernels: String = if (usesXnnpack) "xnnpack" else "builtin"

    override fun open(model: VariantModel, threads: Int): OpenModel {
        val cleanup = Cleanup()
        return try {
            LiteRtModel(api, environment, model.bytes, cpuOptions(threads, cleanup), cleanup)
        } catch (cause: Throwable) {
            cleanup.close()
            throw cause
        }
    }

    /** Ends the runtime; every model that it opened must be closed before. */
    override fun close() = api.LiteRtDestroyEnvironment(environment)

    private fun cpuOptions(threads: Int, cleanup: Cleanup): Pointer {
        val options = handle("LiteRtCreateOptions", api::LiteRtCreateOptions)
        cleanup.later { api.LiteRtDestroyOptions(options) }
        check("LiteRtSetOptionsHardwareAccelerators", api.LiteRtSetOptionsHardwareAccelerators(options, ACCELERATOR_CPU))
        val mode = if (usesXnnpack) "delegate" else "builtin"
        // The payload is TOML, which the options' owner frees by the destructor.
        val text = "kernel_mode = \"$mode\"\nnum_threads = $threads\n".toByteArray() + 0
        val opaque = handle("LiteRtCreateOpaqueOptions") {
            api.LiteRtCreateOpaqueOptions("xnnpack", C.copyOf(text), C.free, it)
        }
        check("LiteRtAddOpaqueOptions", api.LiteRtAddOpaqueOptions(options, opaque))
        return options
    }
}

/** What is to be undone when a model closes, or fails to open: last things first. */
internal class Cleanup : AutoCloseable {
    private val actions = ArrayList<() -> Unit>()

    fun later(action: () -> Unit) {
        actions += action
    }

    override fun close() {
        while (actions.isNotEmpty()) actions.removeAt(actions.size - 1)()
    }
}

private class LiteRtModel(
    private val api: LiteRtLibrary,
    private val environment: Pointer,
    // The runtime reads the model's bytes in place: they must not be collected before it is closed.
    @Suppress("unused") private val bytes: ByteBuffer,
    options: Pointer,
    private val cleanup: Cleanup,
) : OpenModel {
    private val signature: Pointer
    private val compiled: Pointer
    private val inputTensors: List<Tensor>
    private val outputTensors: List<Tensor>

    init {
        val model = handle("LiteRtCreateModelFromBuffer") {
            api.LiteRtCreateModelFromBuffer(environment, Native.getDirectBufferPointer(bytes), bytes.remaining().toLong(), it)
        }
        cleanup.later { api.LiteRtDestroyModel(model) }
        signature = handle("LiteRtGetModelSignature") { api.LiteRtGetModelSignature(model, 0, it) }
        compiled = handle("LiteRtCreateCompiledModel") { api.LiteRtCreateCompiledModel(environment, model, options, it) }
        cleanup.later { api.LiteRtDestroyCompiledModel(compiled) }
        val subgraph = handle("LiteRtGetSignatureSubgraph") { api.LiteRtGetSignatureSubgraph(signature, it) }
        inputTensors = tensors(
            api::LiteRtGetNumSignatureInputs, api::LiteRtGetSignatureInputTensorByIndex,
        ) { index, tensor -> api.LiteRtGetSubgraphInput(subgraph, index, tensor) }
        outputTensors = tensors(
            api::LiteRtGetNumSignatureOutputs, api::LiteRtGetSignatureOutputTensorByIndex,
        ) { index, tensor -> api.LiteRtGetSubgraphOutput(subgraph, index, tensor) }
    }

    private val inputArray = addresses(inputTensors)
    private val outputArray = addresses(outputTensors)

    override val inputs: List<TensorDetails> = inputTensors.sortedBy(Tensor::position).map(Tensor::details)
    override val outputs: List<TensorDetails> = outputTensors.sortedBy(Tensor::position).map(Tensor::details)

    override fun run(inputs: Array<ByteBuffer>, outputs: Array<ByteBuffer>) {
        for (tensor in inputTensors) {
            locked(tensor, LOCK_WRITE) { it.put(inputs[tensor.position].duplicate()) }
        }
        check(
            "LiteRtRunCompiledModel",
            api.LiteRtRunCompiledModel(
                compiled, 0, inputTensors.size.toLong(), inputArray, outputTensors.size.toLong(), outputArray,
            ),
        )
        for (tensor in outputTensors) {
            locked(tensor, LOCK_READ) { outputs[tensor.position].duplicate().put(it) }
        }
    }

    override fun close() = cleanup.close()

    /** A signature's tensor: its place among the model's own, and the memory that a run reads or writes. */
    private class Tensor(val position: Int, val details: TensorDetails, val bytes: Int, val buffer: Pointer)

    private inline fun locked(tensor: Tensor, mode: Int, use: (ByteBuffer) -> Unit) {
        val address = handle("LiteRtLockTensorBuffer") { api.LiteRtLockTensorBuffer(tensor.buffer, it, mode) }
        try {
            use(address.getByteBuffer(0, tensor.bytes.toLong()))
        } finally {
            check("LiteRtUnlockTensorBuffer", api.LiteRtUnlockTensorBuffer(tensor.buffer))
        }
    }

    /** A signature lists its tensors by name, a manifest by the order of the model's own inputs or outputs. */
    private fun tensors(
        count: (Pointer, LongByReference) -> Int,
        bySignature: (Pointer, Long, PointerByReference) -> Int,
        byPosition: (Long, PointerByReference) -> Int,
    ): List<Tensor> {
        val found = LongByReference()
        check("the number of a signature's tensors", count(signature, found))
        val own = List(found.value.toInt()) { index -> handle("a model's tensor") { byPosition(index.toLong(), it) } }
        return List(own.size) { index ->
            val tensor = handle("a signature's tensor") { bySignature(signature, index.toLong(), it) }
            tensor(tensor, own.indexOf(tensor))
        }
    }

    private fun tensor(tensor: Pointer, position: Int): Tensor {
        val type = Memory(RANKED_TYPE_BYTES)
        check("LiteRtGetRankedTensorType", api.LiteRtGetRankedTensorType(tensor, type))
        val rank = type.getInt(4) and 0x7f
        val shape = List(rank) { type.getInt(8L + 4 * it) }
        val dtype = DTYPES[type.getInt(0)] ?: throw BackendException("LiteRT's element type ${type.getInt(0)} is none of a bundle's")
        val quantization = Memory(QUANTIZATION_BYTES)
        // A tensor that is not quantized per tensor has an error's status here.
        val isQuantized = api.LiteRtGetPerTensorQuantization(tensor, quantization) == STATUS_OK
        val details = TensorDetails(
            shape,
            dtype,
            if (isQuantized) quantization.getFloat(0) else 1f,
            if (isQuantized) quantization.getLong(8).toInt() else 0,
        )
        val bytes = shape.fold(dtype.bytes) { product, size -> Math.multiplyExact(product, size) }
        val buffer = handle("LiteRtCreateManagedTensorBuffer") {
            api.LiteRtCreateManagedTensorBuffer(environment, HOST_MEMORY, type, bytes.toLong(), it)
        }
        cleanup.later { api.LiteRtDestroyTensorBuffer(buffer) }
        return Tensor(position, details, bytes, buffer)
    }

    private fun addresses(tensors: List<Tensor>): Memory = Memory(Native.POINTER_SIZE * tensors.size.toLong()).also { array ->
        tensors.forEachIndexed { index, tensor -> array.setPointer(Native.POINTER_SIZE * index.toLong(), tensor.buffer) }
    }
}

/** What LiteRT frees, C allocates. */
private object C {
    private val library = NativeLibrary.getInstance("c")
    val free: Pointer = library.getFunction("free")

    fun copyOf(bytes: ByteArray): Pointer {
        val size = NativeLong(bytes.size.toLong())
        val copy = library.getFunction("malloc").invokePointer(arrayOf(size))
        return copy.also { it.write(0, bytes, 0, bytes.size) }
    }
}

private const val STATUS_OK = 0
private const val ACCELERATOR_CPU = 1
private const val HOST_MEMORY = 1
private const val LOCK_READ = 0
private const val LOCK_WRITE = 1
private const val RANKED_TYPE_BYTES = 72L
private const val QUANTIZATION_BYTES = 16L
private val DTYPES = mapOf(9 to Dtype.INT8, 3 to Dtype.UINT8, 7 to Dtype.INT16, 2 to Dtype.INT32, 1 to Dtype.FLOAT32)

private fun handle(what: String, make: (PointerByReference) -> Int): Pointer {
    val found = PointerByReference()
    check(what, make(found))
    return found.value ?: throw BackendException("LiteRT: $what gave nothing")
}

private fun check(what: String, status: Int) {
    if (status != STATUS_OK) throw BackendException("LiteRT: $what failed with status $status")
}
