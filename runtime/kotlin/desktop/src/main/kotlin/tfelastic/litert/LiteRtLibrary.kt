package tfelastic.litert

import com.sun.jna.Library
import com.sun.jna.Pointer
import com.sun.jna.ptr.LongByReference
import com.sun.jna.ptr.PointerByReference

/** LiteRT's C API, version 1, as far as it is used here; `size_t` is of 64 bits. Each call returns a status. */
internal interface LiteRtLibrary : Library {
    fun LiteRtCreateEnvironment(count: Int, options: Pointer?, environment: PointerByReference): Int
    fun LiteRtDestroyEnvironment(environment: Pointer)

    fun LiteRtCreateOptions(options: PointerByReference): Int
    fun LiteRtDestroyOptions(options: Pointer)
    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, accelerators: Int): Int
    fun LiteRtCreateOpaqueOptions(
        identifier: String, payload: Pointer, destructor: Pointer, options: PointerByReference,
    ): Int
    fun LiteRtAddOpaqueOptions(options: Pointer, opaque: Pointer): Int

    fun LiteRtCreateModelFromBuffer(environment: Pointer, bytes: Pointer, count: Long, model: PointerByReference): Int
    fun LiteRtDestroyModel(model: Pointer)
    fun LiteRtGetModelSignature(model: Pointer, index: Long, signature: PointerByReference): Int
    fun LiteRtGetSignatureSubgraph(signature: Pointer, subgraph: PointerByReference): Int
    fun LiteRtGetNumSignatureInputs(signature: Pointer, count: LongByReference): Int
    fun LiteRtGetNumSignatureOutputs(signature: Pointer, count: LongByReference): Int
    fun LiteRtGetSignatureInputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int
    fun LiteRtGetSignatureOutputTensorByIndex(signature: Pointer, index: Long, tensor: PointerByReference): Int
    fun LiteRtGetSubgraphInput(subgraph: Pointer, index: Long, tensor: PointerByReference): Int
    fun LiteRtGetSubgraphOutput(subgraph: Pointer, index: Long, tensor: PointerByReference): Int
    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int
    fun LiteRtGetPerTensorQuantization(tensor: Pointer, quantization: Pointer): Int

    fun LiteRtCreateCompiledModel(environment: Pointer, model: Pointer, options: Pointer, compiled: PointerByReference): Int
    fun LiteRtDestroyCompiledModel(compiled: Pointer)
    fun LiteRtRunCompiledModel(
        compiled: Pointer, signature: Long, inputCount: Long, inputs: Pointer, outputCount: Long, outputs: Pointer,
    ): Int

    fun LiteRtCreateManagedTensorBuffer(
        environment: Pointer, kind: Int, type: Pointer, count: Long, buffer: PointerByReference,
    ): Int
    fun LiteRtDestroyTensorBuffer(buffer: Pointer)
    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int
    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int
}
