package tfelastic

import java.io.File
import java.nio.ByteBuffer
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import tfelastic.litert.LiteRt

class LiteRtTest {
    private val runtime = LiteRt(File(System.getProperty("litert")), System.getProperty("litert.version"))

    @AfterTest
    fun close() = runtime.close()

    @Test
    fun `a selector measures, keeps its table and runs on the real LiteRT`() {
        val found = calibrate(Bundles.golden, runtime, mapOf("name" to "a test"))
        val cache = ProfileCache(temporaryFolder())
        cache.store(found.profile!!)
        val kept = cache.load(ProfileKey("a test", runtime.runtime, Bundles.golden.payloadSha256, kernels = "xnnpack"))
        Selector.open(Bundles.golden, runtime, 1_000_000, kept).use { selector ->
            repeat(50) { assertEquals("w100", selector.runBlocking(Bundles.image).completed().variant) }
            selector.budgetUs = 1
            val result = selector.runBlocking(Bundles.image).completed()
            assertTrue(!result.isFeasible)
            assertEquals(3, result.output.size)
        }
    }

    @Test
    fun `a thousand switches on the real LiteRT leave nothing open`() {
        Selector.open(Bundles.golden, runtime, 5000, Bundles.table(), resident = 1).use { selector ->
            for (switch in 0 until 1000) {
                selector.budgetUs = if (switch % 2 == 0) MICROSECONDS_MAX else 1
                selector.runBlocking(Bundles.image).completed()
            }
        }
    }

    @Test
    fun `what is no model is refused`() {
        val text = "not a flatbuffer at all, but long enough to look like one".toByteArray()
        val bytes = ByteBuffer.allocateDirect(text.size).apply { put(text).flip() }
        assertFailsWith<BackendException> { runtime.open(VariantModel(bytes, sha256Of(bytes), emptyList(), emptyList()), 1) }
    }
}
