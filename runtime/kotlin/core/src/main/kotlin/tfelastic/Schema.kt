package tfelastic

import java.nio.ByteBuffer

/** The largest integer that every JSON reader keeps exactly. */
internal const val COUNT_MAX = (1L shl 53) - 1

/**
 * Checks that return the checked value, or throw what `error` makes of a message that names the place.
 *
 * A manifest comes from a file that anyone may have written, so nothing in it is trusted before it passed here.
 */
internal class Schema(private val error: (String, Throwable?) -> TfelasticException) {
    fun parse(data: ByteBuffer, where: String): Any? = try {
        JsonReader(utf8(data)).read()
    } catch (cause: JsonException) {
        throw error("$where is not UTF-8 JSON within a reader's limits: ${cause.message}", cause)
    }

    /** Returns an object that has all the keys `names`. */
    fun fields(data: Any?, where: String, vararg names: String): Map<String, Any?> {
        if (data !is Map<*, *>) fail("$where: expected an object, received ${shown(data)}")
        @Suppress("UNCHECKED_CAST") // The reader makes maps of texts alone.
        val found = data as Map<String, Any?>
        val missing = names.filter { it !in found }
        if (missing.isNotEmpty()) fail("$where: ${listed(missing)} missing")
        return found
    }

    /** Returns an object that has all the keys `names` and no other. */
    fun exactly(data: Any?, where: String, vararg names: String): Map<String, Any?> {
        val found = fields(data, where, *names)
        val unknown = (found.keys - names.toSet()).sorted()
        if (unknown.isNotEmpty()) fail("$where: unknown ${listed(unknown)}; known are ${names.joinToString()}")
        return found
    }

    fun array(data: Any?, where: String): List<Any?> =
        data as? List<*> ?: fail("$where: expected an array, received ${shown(data)}")

    fun long(data: Any?, where: String, range: LongRange = 0L..COUNT_MAX): Long =
        (data as? Long)?.takeIf { it in range } ?: fail("$where: expected an integer in $range, received ${shown(data)}")

    fun int(data: Any?, where: String, range: IntRange = 0..Int.MAX_VALUE): Int =
        long(data, where, range.first.toLong()..range.last.toLong()).toInt()

    /** Returns the double nearest to a number in `low .. high`; a zero has no sign. */
    fun number(data: Any?, where: String, low: Double, high: Double): Double {
        val value = if (data is Long || data is Double) (data as Number).toDouble() else Double.NaN
        if (!(value >= low && value <= high)) {
            fail("$where: expected a number in $low .. $high, received ${shown(data)}")
        }
        return value + 0.0
    }

    fun finite(data: Any?, where: String): Double = number(data, where, -Double.MAX_VALUE, Double.MAX_VALUE)

    /** Returns a text of 1 to `longest` characters, none of them one that a terminal obeys. */
    fun text(data: Any?, where: String, longest: Int = 200): String {
        if (data !is String || data.codePointCount(0, data.length) !in 1..longest || data.any(Char::isISOControl)) {
            fail("$where: expected a text of 1 to $longest characters without control characters, received ${shown(data)}")
        }
        return data
    }

    fun sha256(data: Any?, where: String): String {
        if (data !is String || data.length != 64 || !data.all { it in '0'..'9' || it in 'a'..'f' }) {
            fail("$where: expected 64 lower-case hexadecimal digits, received ${shown(data)}")
        }
        return data
    }

    fun require(holds: Boolean, message: () -> String) {
        if (!holds) fail(message())
    }

    fun fail(message: String): Nothing = throw error(message, null)
}

internal fun listed(names: Iterable<String>): String = names.joinToString { jsonOf(it) }

/** Quotes what was received: control characters escaped, and no more than 80 characters. */
private fun shown(data: Any?): String = jsonOf(data).let { if (it.length <= 80) it else it.take(77) + "..." }
