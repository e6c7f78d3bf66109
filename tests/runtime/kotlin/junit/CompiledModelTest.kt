package tfelastic

import com.google.ai.edge.litert.CompiledModel
import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import tfelastic.android.CompiledModelBackend

/** The backend of Android's `CompiledModel`, with a stub in its place that gives back what it is given. */
class CompiledModelTest {
    private val folder = temporaryFolder()
    private val backend = CompiledModelBackend(ModelFiles(folder, limitBytes = 1 shl 20), "2.3.0")

    private fun model(bundle: Bundle, name: String): VariantModel {
        val variant = bundle.variant(name)
        fun details(shape: List<Int>, tensor: TensorSpec) =
            TensorDetails(shape, tensor.dtype, tensor.scale.toFloat(), tensor.zeroPoint)
        return VariantModel(
            bundle.model(name),
            variant.sha256,
            bundle.manifest.inputs.zip(variant.inputs) { spec, tensor -> details(spec.shape, tensor) },
            bundle.manifest.outputs.zip(variant.outputs) { spec, tensor -> details(spec.shape, tensor) },
        )
    }

    @Test
    fun `a variant is opened from a file named by its hash`() {
        val variant = model(Bundles.golden, "w100")
        backend.open(variant, threads = 2).use {
            val opened = CompiledModel.open.single()
            assertEquals(File(folder, "${variant.sha256}.tflite").path, opened.filePath)
            assertEquals(2, opened.options.cpuOptions?.numThreads)
            val input = java.nio.ByteBuffer.allocateDirect(72)
            val output = java.nio.ByteBuffer.allocateDirect(72)
            for (index in 0 until 72) input.put(index, (3 * index).toByte())
            it.run(arrayOf(input), arrayOf(output))
            assertEquals(input, output)
        }
        assertTrue(CompiledModel.open.isEmpty())
    }

    @Test
    fun `what it cannot run is refused, and nothing stays open`() {
        assertFailsWith<BackendException> { backend.open(model(Bundles.interfaces, "int8"), 1) }
        val variant = model(Bundles.golden, "w100")
        val wide = VariantModel(variant.bytes, variant.sha256, listOf(TensorDetails(dtype = Dtype.INT16)), variant.outputs)
        val error = assertFailsWith<BackendException> { backend.open(wide, 1) }
        assertTrue("int16" in error.message!!)
        assertTrue(CompiledModel.open.isEmpty())
    }
}
