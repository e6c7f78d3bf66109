package tfelastic

import java.io.File
import java.nio.ByteBuffer
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue

class FilesTest {
    private val folder = temporaryFolder()
    private val key = ProfileKey("a test", "Stub 1", Bundles.golden.payloadSha256)

    @Test
    fun `a table is kept under its device, runtime and bundle`() {
        val cache = ProfileCache(File(folder, "new/folder"))
        assertNull(cache.load(key))
        cache.store(Bundles.table())
        assertEquals(Bundles.table(), cache.load(key))
        assertNull(cache.load(key.copy(device = "another phone")))
        assertNull(cache.load(key.copy(runtime = "Stub 2")))
        assertNull(cache.load(key.copy(bundleSha256 = "0".repeat(64))))
        assertNull(cache.load(key.copy(threads = 4)))
        assertNull(cache.load(key.copy(kernels = "gpu")))
    }

    @Test
    fun `a corrupt table counts as none, and is replaced`() {
        val cache = ProfileCache(folder)
        cache.store(Bundles.table())
        val file = folder.listFiles()!!.single()
        val text = file.readBytes()
        for (size in text.indices) {
            file.writeBytes(text.copyOf(size))
            assertNull(cache.load(key), "a table cut off at $size bytes")
        }
        file.writeText(Bundles.table().copy(runtime = "Stub 2").toJson())
        assertNull(cache.load(key), "a table in another's place")
        file.writeBytes(byteArrayOf(-1, 0, 1))
        assertNull(cache.load(key))
        cache.store(Bundles.table())
        assertEquals(Bundles.table(), cache.load(key))
        assertEquals(listOf(file), folder.listFiles()!!.toList(), "no temporary file is left")
    }

    @Test
    fun `a table that cannot be told apart is not kept`() {
        assertFailsWith<ProfileException> { ProfileCache(folder).store(Bundles.table().copy(bundleSha256 = null)) }
    }

    @Test
    fun `a variant's file is named by its hash, written once, and mended`() {
        val files = ModelFiles(folder, limitBytes = 1 shl 20)
        val variant = Bundles.golden.variant("w050")
        val file = files.file(Bundles.golden.model("w050"), variant.sha256)
        assertEquals("${variant.sha256}.tflite", file.name)
        assertEquals(variant.sha256, sha256Of(ByteBuffer.wrap(file.readBytes())))
        val never = ByteBuffer.allocateDirect(0)
        assertEquals(file, files.file(never, variant.sha256))
        file.writeBytes(file.readBytes().copyOf(100))
        files.file(Bundles.golden.model("w050"), variant.sha256)
        assertEquals(variant.sha256, sha256Of(ByteBuffer.wrap(file.readBytes())))
        assertEquals(listOf(file), folder.listFiles()!!.toList())
    }

    @Test
    fun `files that were not used for longest give way`() {
        val files = ModelFiles(folder, limitBytes = 250)
        fun add(value: Int): File {
            val model = ByteBuffer.wrap(ByteArray(100) { value.toByte() })
            return files.file(model, sha256Of(model)).also { it.setLastModified(1000L * value) }
        }
        val (first, second) = listOf(add(1), add(2))
        first.setLastModified(10_000)
        val third = add(3)
        assertEquals(setOf(first, third), folder.listFiles()!!.toSet())
        assertTrue(!second.exists())
        val large = ByteBuffer.wrap(ByteArray(1000))
        assertEquals(listOf(files.file(large, sha256Of(large))), folder.listFiles()!!.toList())
    }

    @Test
    fun `an opened bundle outlives its file's replacement`() {
        val file = File(folder, "model.elastic")
        Bundles.file("golden").copyTo(file)
        val opened = Bundle.open(file)
        val other = File(folder, "other.elastic")
        Bundles.file("interfaces").copyTo(other)
        assertTrue(other.renameTo(file))
        assertContentEquals(bytesOf(Bundles.golden.model("w025")), bytesOf(opened.model("w025")))
        val error = assertFailsWith<ProfileException> {
            Selector.open(Bundle.open(file), StubBackend(Bundles.interfaces), 5000, Bundles.table())
        }
        assertTrue("not of this bundle" in error.message!!)
    }

    @Test
    fun `errors name the file`() {
        val file = File(folder, "model.elastic")
        for (data in listOf(ByteArray(0), "no bundle".toByteArray(), Bundles.file("golden").readBytes().copyOf(1000))) {
            file.writeBytes(data)
            assertTrue(file.path in assertFailsWith<BundleException> { Bundle.open(file) }.message!!)
        }
    }

    @Test
    fun `a stream is read as the file is mapped`() {
        val data = Bundles.file("golden").readBytes()
        val read = Bundle.read(data.inputStream())
        assertEquals(Bundles.golden.payloadSha256, read.payloadSha256)
        val payload = ByteBuffer.wrap(data, data.size - 32 - read.manifest.payloadBytes, read.manifest.payloadBytes)
        assertEquals(sha256Of(payload), read.payloadSha256)
        val model = read.model("w100")
        assertTrue(model.isDirect)
        assertContentEquals(bytesOf(Bundles.golden.model("w100")), bytesOf(model))
        for (size in listOf(0, 3, 23, 24, 1000, data.size - 1)) {
            assertFailsWith<BundleException> { Bundle.read(data.copyOf(size).inputStream()) }
        }
        assertFailsWith<BundleException> { Bundle.read((data + 0).inputStream()) }
        // A header that states two gigabytes must not reserve them.
        val boast = data.copyOf(24).also { ByteBuffer.wrap(it).order(java.nio.ByteOrder.LITTLE_ENDIAN).putLong(16, 2_000_000_000) }
        assertFailsWith<BundleException> { Bundle.read((boast + data).inputStream()) }
    }

    private fun bytesOf(buffer: ByteBuffer): ByteArray = ByteArray(buffer.remaining()).also { buffer.duplicate().get(it) }
}
