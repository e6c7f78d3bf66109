package tfelastic

import java.io.File
import java.nio.ByteBuffer

private val schema = Schema(::ProfileException)
private const val TABLE_FORMAT = 1L
private const val THREADS_MAX = 1024

/**
 * A measured table: the latencies of a bundle's variants on one device (`runtime/SPEC.md`, section 6).
 *
 * @property device What is known of the device: texts, numbers, true and false; in a file with a `name`.
 * @property threads How many threads the interpreters used.
 * @property latencies One latency per variant name.
 * @property runtime Name and version of what ran the variants, such as `LiteRT 2.3.0`; null where unknown.
 * @property kernels The set of kernels, such as `xnnpack`; null where unknown.
 * @property bundleSha256 The SHA-256 of the measured bundle's payload; null where unknown.
 */
data class Profile(
    val device: Map<String, Any>,
    val threads: Int,
    val latencies: Map<String, Latency>,
    val runtime: String? = null,
    val kernels: String? = null,
    val bundleSha256: String? = null,
) {
    init {
        for ((key, value) in device) {
            schema.require(value is String || value is Number || value is Boolean) {
                "device: expected texts, numbers, true and false, received ${jsonOf(key)}: ${jsonOf(value)}"
            }
        }
        schema.int(threads.toLong(), "threads", 1..THREADS_MAX)
        schema.require(latencies.isNotEmpty()) { "latencies: expected at least one variant" }
        runtime?.let { schema.text(it, "runtime") }
        kernels?.let { schema.text(it, "kernels") }
        bundleSha256?.let { schema.sha256(it, "bundle_sha256") }
    }

    /** Returns the table as the text of a `profile.json`. */
    fun toJson(): String = jsonOf(
        linkedMapOf(
            "format" to TABLE_FORMAT, "device" to device, "runtime" to runtime, "kernels" to kernels,
            "bundle_sha256" to bundleSha256, "threads" to threads,
            "latencies" to latencies.mapValues { (_, latency) -> latency.toJson() },
        ).known(),
    )

    companion object {
        /**
         * Reads a table's text, such as that of a `profile.json`.
         *
         * @throws ProfileException The text is no measured table of this format.
         */
        fun parse(text: ByteArray): Profile {
            val data = schema.parse(ByteBuffer.wrap(text), "the table")
            val table = fromJson(schema.fields(data, "the table", "format", "device"))
            schema.text(table.device["name"], "device.name")
            return table
        }

        /**
         * Reads a table's file.
         *
         * @throws ProfileException The file is no measured table; the message names it.
         * @throws java.io.IOException The file cannot be read.
         */
        fun load(file: File): Profile = try {
            parse(file.readBytes())
        } catch (cause: ProfileException) {
            throw ProfileException("${file.path}: ${cause.message}", cause)
        }

        internal fun fromJson(data: Any?): Profile {
            val found = schema.fields(data, "profile", "device", "threads", "latencies")
            schema.require("format" !in found || found["format"] == TABLE_FORMAT) {
                "format: expected $TABLE_FORMAT, received ${jsonOf(found["format"])}"
            }
            val device = schema.fields(found["device"], "device").mapValues { (key, value) ->
                value ?: schema.fail("device: expected texts, numbers, true and false, received null for ${jsonOf(key)}")
            }
            return Profile(
                device = device,
                threads = schema.int(found["threads"], "threads", 1..THREADS_MAX),
                latencies = schema.fields(found["latencies"], "latencies").mapValues { (name, value) ->
                    Latency.fromJson(value, "latencies[${jsonOf(name)}]")
                },
                runtime = found["runtime"]?.let { schema.text(it, "runtime") },
                kernels = found["kernels"]?.let { schema.text(it, "kernels") },
                bundleSha256 = found["bundle_sha256"]?.let { schema.sha256(it, "bundle_sha256") },
            )
        }
    }
}
