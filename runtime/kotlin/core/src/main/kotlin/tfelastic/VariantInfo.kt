package tfelastic

private val schema = Schema(::BundleException)

/** Whole variants start at multiples of this many bytes. */
internal const val ALIGNMENT = 16
private val NAME = Regex("[a-z0-9][a-z0-9._-]{0,31}")

/** Where in the payload a variant lies: the .tflite itself if `isWhole`, else instructions that write it. */
data class Stored(val isWhole: Boolean, val offset: Int, val bytes: Int) {
    init {
        schema.int(offset.toLong(), "stored.offset")
        schema.int(bytes.toLong(), "stored.bytes", 1..Int.MAX_VALUE)
        schema.require(!isWhole || offset % ALIGNMENT == 0) {
            "stored.offset: expected a multiple of $ALIGNMENT for a whole variant, received $offset"
        }
    }

    internal companion object {
        fun fromJson(data: Any?, where: String): Stored {
            val found = schema.exactly(data, where, "form", "offset", "bytes")
            schema.require(found["form"] == "whole" || found["form"] == "delta") {
                "$where.form: expected \"whole\" or \"delta\", received ${jsonOf(found["form"])}"
            }
            return Stored(
                found["form"] == "whole",
                schema.int(found["offset"], "$where.offset"),
                schema.int(found["bytes"], "$where.bytes", 1..Int.MAX_VALUE),
            )
        }
    }
}

/**
 * What of the network a variant keeps.
 *
 * @property keep How many units of each group: the leading ones in the network's order.
 * @property removed The blocks that it went without.
 */
data class VariantPlan(val keep: Map<String, Long> = emptyMap(), val removed: List<String> = emptyList()) {
    internal companion object {
        fun fromJson(data: Any?, where: String): VariantPlan {
            val found = schema.exactly(data, where, "keep", "removed")
            val keep = schema.fields(found["keep"], "$where.keep").mapValues { (group, units) ->
                schema.text(group, "$where.keep")
                schema.long(units, "$where.keep[${jsonOf(group)}]", 1..COUNT_MAX)
            }
            return VariantPlan(keep, schema.array(found["removed"], "$where.removed").map { schema.text(it, "$where.removed") })
        }
    }
}

/**
 * One variant of the bundle: what it is, what it costs, and how its .tflite is stored.
 *
 * @property width The share of the widest variant's channels that it keeps, in (0, 1].
 * @property plan What of the network it keeps; null where not given.
 * @property macs Multiply-accumulate operations of one inference.
 * @property peakBytes Predicted bytes of activations alive at once; null where not known.
 * @property arenaBytes Measured bytes of a microcontroller's arena; null where not known.
 * @property score The manifest's metric, measured on this very .tflite; it alone decides what a selector prefers.
 * @property bytes How long its .tflite is.
 * @property sha256 The SHA-256 of its .tflite, in lower-case hexadecimal.
 * @property inputs How it stores each input, in the manifest's order; `outputs` likewise.
 */
data class VariantInfo(
    val name: String,
    val width: Double,
    val plan: VariantPlan?,
    val scheme: String,
    val params: Long,
    val macs: Long,
    val peakBytes: Long?,
    val arenaBytes: Long?,
    val score: Double,
    val metrics: Map<String, Double>,
    val bytes: Int,
    val sha256: String,
    val stored: Stored,
    val inputs: List<TensorSpec>,
    val outputs: List<TensorSpec>,
) {
    init {
        schema.require(NAME.matches(name)) {
            "name: expected 1 to 32 of a-z 0-9 . _ - that begin with a letter or digit, received ${jsonOf(name)}"
        }
        schema.require(!stored.isWhole || stored.bytes == bytes) {
            "stored.bytes: expected $bytes, the variant's own, as it is stored whole, received ${stored.bytes}"
        }
        checkPositions(inputs, "inputs")
        checkPositions(outputs, "outputs")
    }

    internal companion object {
        private const val WIDTH_MIN = 1.0 / (1 shl 20)
        private val KEYS = arrayOf(
            "name", "width", "plan", "scheme", "params", "macs", "peak_bytes", "arena_bytes",
            "score", "metrics", "bytes", "sha256", "stored", "inputs", "outputs",
        )

        fun fromJson(data: Any?, where: String): VariantInfo {
            val found = schema.exactly(data, where, *KEYS)
            fun optional(key: String) = found[key]?.let { schema.long(it, "$where.$key") }
            val name = found["name"] as? String ?: schema.fail("$where.name: expected a text, received ${jsonOf(found["name"])}")
            return VariantInfo(
                name = name,
                width = schema.number(found["width"], "$where.width", WIDTH_MIN, 1.0),
                plan = found["plan"]?.let { VariantPlan.fromJson(it, "$where.plan") },
                scheme = schema.text(found["scheme"], "$where.scheme", 32),
                params = schema.long(found["params"], "$where.params"),
                macs = schema.long(found["macs"], "$where.macs"),
                peakBytes = optional("peak_bytes"),
                arenaBytes = optional("arena_bytes"),
                score = schema.finite(found["score"], "$where.score"),
                metrics = schema.fields(found["metrics"], "$where.metrics").mapValues { (metric, value) ->
                    schema.finite(value, "$where.metrics[${jsonOf(schema.text(metric, "$where.metrics"))}]")
                },
                bytes = schema.int(found["bytes"], "$where.bytes", 1..Int.MAX_VALUE),
                sha256 = schema.sha256(found["sha256"], "$where.sha256"),
                stored = Stored.fromJson(found["stored"], "$where.stored"),
                inputs = tensors(found, "inputs", where),
                outputs = tensors(found, "outputs", where),
            )
        }

        private fun tensors(found: Map<String, Any?>, side: String, where: String): List<TensorSpec> =
            schema.array(found[side], "$where.$side").mapIndexed { index, each ->
                schema.require(index < TENSORS_MAX) { "$where.$side: expected at most $TENSORS_MAX tensors" }
                TensorSpec.fromJson(each, "$where.$side[$index]")
            }
    }
}

private fun checkPositions(tensors: List<TensorSpec>, side: String) {
    schema.require(tensors.size in 1..TENSORS_MAX) { "$side: expected 1 to $TENSORS_MAX tensors, received ${tensors.size}" }
    val positions = tensors.map(TensorSpec::position)
    schema.require(positions.sorted() == tensors.indices.toList()) {
        "$side: expected each position from 0 to ${tensors.size - 1} once, received $positions"
    }
}
