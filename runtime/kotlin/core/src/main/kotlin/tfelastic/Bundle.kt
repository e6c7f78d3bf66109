package tfelastic

import java.io.File
import java.io.InputStream
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.security.MessageDigest

private val MAGIC = byteArrayOf(0x89.toByte(), 0x54, 0x46, 0x45, 0x0d, 0x0a, 0x1a, 0x0a)
private const val CONTAINER_VERSION = 3
private const val HEADER_BYTES = 24
private const val DIGEST_BYTES = 32
private const val MANIFEST_BYTES_MAX = 1 shl 20

/**
 * An opened bundle: its manifest and its variants (`tflite_export/bundle/FORMAT.md`).
 *
 * A file is mapped, not read: opening costs the memory of its manifest. Replace a file by renaming another to its
 * name: an opened bundle goes on with the old one, while a file that is overwritten or cut would change under it.
 *
 * @property manifest What the bundle says of itself.
 * @property payloadSha256 The SHA-256 of the payload, in lower-case hexadecimal: by it a measured table names its bundle.
 */
class Bundle private constructor(
    val manifest: Manifest,
    val payloadSha256: String,
    private val payload: ByteBuffer,
    private val source: String,
) {
    /** The variants, widest first. */
    val variants: List<VariantInfo> get() = manifest.variants

    /** Returns the named variant's record, or throws `BundleException`. */
    fun variant(name: String): VariantInfo = variants.firstOrNull { it.name == name }
        ?: throw BundleException("$source has no variant ${jsonOf(name)}; it has ${variants.joinToString { it.name }}")

    /**
     * Returns the named variant's .tflite in a direct buffer: in place where it is stored whole.
     *
     * @throws BundleException There is no such variant, its delta is malformed, or its bytes are not those that its
     *     SHA-256 identifies.
     */
    fun model(name: String): ByteBuffer {
        val variant = variant(name)
        val stored = payload.slice(variant.stored.offset, variant.stored.bytes)
        val model = try {
            if (variant.stored.isWhole) direct(stored) else Delta(stored, payload, variant.bytes).expand()
        } catch (cause: BundleException) {
            throw BundleException("$source: variant \"$name\": ${cause.message}", cause)
        }
        if (sha256Of(model) != variant.sha256) {
            throw BundleException("$source: variant \"$name\" is not the file that its sha256 identifies")
        }
        return model.order(ByteOrder.nativeOrder())
    }

    override fun toString(): String = "Bundle(${manifest.name}: ${variants.joinToString { it.name }})"

    companion object {
        /**
         * Maps and checks a bundle.
         *
         * @throws BundleException The file is no bundle, is damaged, or is of another format; the message names it.
         * @throws java.io.IOException The file cannot be read.
         */
        fun open(file: File): Bundle = RandomAccessFile(file, "r").use { opened ->
            val size = opened.length()
            val head = ByteArray(minOf(size, HEADER_BYTES.toLong()).toInt())
            opened.readFully(head)
            checkHeader(ByteBuffer.wrap(head), size, file.path)
            if (size > Int.MAX_VALUE) throw BundleException("${file.path} has $size bytes, more than a device can map")
            of(opened.channel.map(FileChannel.MapMode.READ_ONLY, 0, size), file.path)
        }

        /** Reads a bundle from a stream into memory, for files that cannot be mapped; the stream stays open. */
        fun read(stream: InputStream, source: String = "the bundle"): Bundle {
            val head = ByteArray(HEADER_BYTES)
            val found = stream.fill(head)
            // The header states the length, so what is no bundle costs no memory.
            val stated = if (found == HEADER_BYTES) littleEndian(ByteBuffer.wrap(head)).getLong(16) else found.toLong()
            checkHeader(ByteBuffer.wrap(head, 0, found), stated, source)
            if (stated > Int.MAX_VALUE) throw BundleException("$source states $stated bytes, more than memory can hold")
            return of(ByteBuffer.wrap(head + stream.bytesUpTo(stated.toInt() - HEADER_BYTES)), source)
        }

        /**
         * Checks a bundle that is in memory, or mapped, already.
         *
         * @param data The whole bundle, from the buffer's position to its limit.
         * @param source What error messages call it.
         */
        fun of(data: ByteBuffer, source: String = "the bundle"): Bundle {
            val view = littleEndian(data.slice())
            val size = view.capacity()
            val manifestBytes = checkHeader(view.slice(0, minOf(size, HEADER_BYTES)), size.toLong(), source)
            val digest = MessageDigest.getInstance("SHA-256")
            digest.update(view.slice(0, size - DIGEST_BYTES))
            val end = view.slice(size - DIGEST_BYTES, DIGEST_BYTES)
            if (ByteBuffer.wrap(digest.digest()) != end) {
                throw BundleException("$source is damaged: its checksum does not match. Copy it anew")
            }
            if (manifestBytes > MANIFEST_BYTES_MAX) {
                throw BundleException("$source: its manifest has $manifestBytes bytes, readers hold at most $MANIFEST_BYTES_MAX")
            }
            val manifest = try {
                Manifest.fromJson(Schema(::BundleException).parse(view.slice(HEADER_BYTES, manifestBytes), "the manifest"))
            } catch (cause: BundleException) {
                throw BundleException("$source: ${cause.message}", cause)
            }
            val start = padded(HEADER_BYTES + manifestBytes.toLong()).toInt()
            val payload = view.slice(start, size - DIGEST_BYTES - start)
            if (payload.capacity() != manifest.payloadBytes) {
                throw BundleException(
                    "$source: the manifest states a payload of ${manifest.payloadBytes} bytes, the file's has ${payload.capacity()}",
                )
            }
            return Bundle(manifest, sha256Of(payload), payload, source)
        }
    }
}

/** Returns the manifest's length after checking everything that the header says. */
private fun checkHeader(header: ByteBuffer, size: Long, source: String): Int {
    val bytes = littleEndian(header.slice())
    val begin = ByteArray(minOf(bytes.capacity(), MAGIC.size)).also { bytes.get(it) }
    if (!begin.contentEquals(MAGIC)) {
        throw BundleException("$source is not a tfelastic bundle: it begins with ${hex(begin)}")
    }
    if (bytes.capacity() < HEADER_BYTES) {
        throw BundleException("$source is cut off: it has $size bytes, the header alone has $HEADER_BYTES")
    }
    val version = bytes.getInt(8).toLong() and 0xffffffffL
    if (version != CONTAINER_VERSION.toLong()) {
        throw BundleException(
            "$source is of container version $version, this reader knows version $CONTAINER_VERSION: update tfelastic, or " +
                "export the bundle again",
        )
    }
    if (bytes.getLong(16) != size) {
        throw BundleException("$source is damaged: it should have ${bytes.getLong(16).toULong()} bytes, it has $size")
    }
    val manifestBytes = bytes.getInt(12).toLong() and 0xffffffffL
    if (padded(HEADER_BYTES + manifestBytes) + DIGEST_BYTES > size || manifestBytes > Int.MAX_VALUE) {
        throw BundleException("$source is damaged: a manifest of $manifestBytes bytes does not fit into its $size bytes")
    }
    return manifestBytes.toInt()
}

private fun padded(count: Long): Long = (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT

private fun littleEndian(buffer: ByteBuffer): ByteBuffer = buffer.order(ByteOrder.LITTLE_ENDIAN)

/** The buffer's own `slice(index, length)` is newer than Android 7. */
private fun ByteBuffer.slice(index: Int, length: Int): ByteBuffer {
    val part = duplicate()
    part.limit(index + length)
    part.position(index)
    return littleEndian(part.slice())
}

private fun direct(bytes: ByteBuffer): ByteBuffer {
    if (bytes.isDirect) return bytes
    val copy = ByteBuffer.allocateDirect(bytes.remaining())
    copy.put(bytes)
    copy.flip()
    return copy
}

/** Fills the array from the stream, and returns how many bytes there were. */
private fun InputStream.fill(bytes: ByteArray): Int {
    var found = 0
    while (found < bytes.size) {
        val more = read(bytes, found, bytes.size - found)
        if (more < 0) break
        found += more
    }
    return found
}

/** Reads at most one byte more than `count`: enough to see that there are too many. */
private fun InputStream.bytesUpTo(count: Int): ByteArray {
    val found = java.io.ByteArrayOutputStream()
    val part = ByteArray(1 shl 16)
    while (found.size() <= count) {
        val more = read(part, 0, minOf(part.size.toLong(), count + 1L - found.size()).toInt())
        if (more < 0) break
        found.write(part, 0, more)
    }
    return found.toByteArray()
}

internal fun sha256Of(bytes: ByteBuffer): String =
    hex(MessageDigest.getInstance("SHA-256").apply { update(bytes.duplicate()) }.digest())

internal fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
