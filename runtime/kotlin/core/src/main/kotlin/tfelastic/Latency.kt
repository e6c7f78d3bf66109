package tfelastic

import kotlin.math.ceil

private val schema = Schema(::ProfileException)

/** The largest latency and budget, 35 minutes: their product with any slowdown fits in 64 bits. */
const val MICROSECONDS_MAX: Int = Int.MAX_VALUE

/**
 * What one variant took on one device, in microseconds.
 *
 * @property p50Us Median latency; `p90Us` and `p99Us` are what 90 and 99 runs of 100 kept.
 * @property runs How many runs were timed.
 * @property firstUs The first inference after opening; null where unknown.
 * @property switchUs Making the variant ready, without its first inference; null where unknown.
 * @property peakRssBytes Largest resident memory of the process with the variant open; null where unknown.
 */
data class Latency(
    val p50Us: Int,
    val p90Us: Int,
    val runs: Long,
    val p99Us: Int? = null,
    val firstUs: Int? = null,
    val switchUs: Int? = null,
    val peakRssBytes: Long? = null,
) {
    init {
        schema.require(p50Us >= 1 && p90Us >= p50Us) { "expected 1 <= p50_us <= p90_us, received $p50Us and $p90Us" }
        schema.require(runs in 1..COUNT_MAX) { "runs: expected an integer in 1 .. $COUNT_MAX, received $runs" }
        schema.require(p99Us == null || p99Us >= p90Us) { "p99_us: expected at least p90_us, $p90Us, received $p99Us" }
        schema.require(firstUs == null || firstUs >= 1) { "first_us: expected at least 1, received $firstUs" }
        schema.require(switchUs == null || switchUs >= 0) { "switch_us: expected at least 0, received $switchUs" }
        schema.require(peakRssBytes == null || peakRssBytes in 1..COUNT_MAX) {
            "peak_rss_bytes: expected an integer in 1 .. $COUNT_MAX, received $peakRssBytes"
        }
    }

    /** Returns the policy's row; switching takes opening and the first inference. */
    fun row(scoreOrder: Int): Row {
        val switchTime = if (switchUs == null || switchUs == 0) 0L else switchUs.toLong() + (firstUs ?: 0)
        return Row(scoreOrder, p50Us, p90Us, minOf(switchTime, MICROSECONDS_MAX.toLong()).toInt())
    }

    internal fun toJson(): Map<String, Any> = linkedMapOf(
        "p50_us" to p50Us, "p90_us" to p90Us, "p99_us" to p99Us, "first_us" to firstUs, "switch_us" to switchUs,
        "peak_rss_bytes" to peakRssBytes, "runs" to runs,
    ).known()

    companion object {
        /** Sums up single runs' latencies; the percentiles are nearest ranks, so they did occur. */
        fun of(samplesUs: Collection<Int>, firstUs: Int? = null, switchUs: Int? = null): Latency {
            schema.require(samplesUs.isNotEmpty()) { "no run was timed: expected at least one latency" }
            val ordered = samplesUs.map { maxOf(it, 1) }.sorted()
            fun rank(percent: Long) = ordered[((ordered.size * percent + 99) / 100).toInt() - 1]
            return Latency(rank(50), rank(90), ordered.size.toLong(), rank(99), firstUs, switchUs)
        }

        internal fun fromJson(data: Any?, where: String): Latency {
            val found = schema.fields(data, where, "p50_us", "p90_us", "runs")
            fun rounded(key: String) =
                ceil(schema.number(found[key], "$where.$key", 0.0, MICROSECONDS_MAX.toDouble())).toInt()
            return try {
                Latency(
                    p50Us = rounded("p50_us"),
                    p90Us = rounded("p90_us"),
                    runs = schema.long(found["runs"], "runs", 1..COUNT_MAX),
                    p99Us = found["p99_us"]?.let { rounded("p99_us") },
                    firstUs = found["first_us"]?.let { rounded("first_us") },
                    switchUs = found["switch_us"]?.let { schema.int(it, "switch_us") },
                    peakRssBytes = found["peak_rss_bytes"]?.let { schema.long(it, "peak_rss_bytes", 1..COUNT_MAX) },
                )
            } catch (cause: ProfileException) {
                throw ProfileException("$where: ${cause.message}", cause)
            }
        }
    }
}

internal fun Map<String, Any?>.known(): Map<String, Any> =
    LinkedHashMap<String, Any>().also { for ((key, value) in this) if (value != null) it[key] = value }
