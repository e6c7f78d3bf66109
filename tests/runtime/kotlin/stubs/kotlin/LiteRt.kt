@file:Suppress("UNUSED_PARAMETER", "unused")

package com.google.ai.edge.litert

import java.io.File

enum class Accelerator { NONE, CPU, GPU, NPU }

/** The stub's model gives back its input's int8 values, so that the way there and back can be tested. */
class CompiledModel private constructor(val filePath: String, val options: Options) : AutoCloseable {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        var cpuOptions: CpuOptions? = null
    }

    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = listOf(TensorBuffer())

    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = listOf(TensorBuffer())

    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signatureIndex: Int = 0) {
        outputs.single().writeInt8(inputs.single().readInt8())
    }

    override fun close() {
        open -= this
    }

    companion object {
        /** The models that are open. */
        val open = LinkedHashSet<CompiledModel>()

        fun create(filePath: String, options: Options = Options(Accelerator.CPU)): CompiledModel {
            check(File(filePath).isFile) { "there is no file $filePath" }
            return CompiledModel(filePath, options).also { open += it }
        }
    }
}

class TensorBuffer internal constructor() : AutoCloseable {
    private var bytes = ByteArray(0)

    fun writeInt(data: IntArray) = Unit

    fun writeFloat(data: FloatArray) = Unit

    fun writeInt8(data: ByteArray) {
        bytes = data
    }

    fun readInt(): IntArray = IntArray(0)

    fun readFloat(): FloatArray = FloatArray(0)

    fun readInt8(): ByteArray = bytes

    override fun close() = Unit
}
