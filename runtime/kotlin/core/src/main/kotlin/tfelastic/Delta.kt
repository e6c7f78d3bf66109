package tfelastic

import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val LOOPS_MAX = 3
private const val SPANS_MAX = 64
private const val UNSIGNED_MAX = (1L shl 32) - 1

/**
 * Carries out a delta (`tflite_export/bundle/FORMAT.md`) on the bundle's payload.
 *
 * Nothing in a delta is trusted: each instruction is checked before it is carried out, so work and memory are
 * bounded by the output's size, which the manifest bounds by the payload's.
 */
internal class Delta(private val delta: ByteBuffer, payload: ByteBuffer, size: Int) {
    private val payload = payload.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    private val payloadBytes = payload.capacity()
    private val output = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN)
    private var source = 0L

    /** Returns exactly `size` bytes, in a direct buffer; else throws `BundleException`. */
    fun expand(): ByteBuffer {
        while (delta.hasRemaining()) {
            val token = number()
            when ((token and 3).toInt()) {
                0 -> add(token shr 2)
                1 -> copy(token shr 2)
                2 -> run(token shr 2)
                else -> gather(token shr 2)
            }
        }
        if (output.hasRemaining()) {
            throw BundleException("its delta writes ${output.position()} bytes, expected ${output.capacity()}")
        }
        output.flip()
        return output
    }

    private fun add(count: Long) {
        claim(count)
        if (count > delta.remaining()) throw BundleException(CUT_OFF)
        val end = delta.position() + count.toInt()
        val data = delta.duplicate()
        data.limit(end)
        output.put(data)
        delta.position(end)
    }

    private fun copy(count: Long) {
        val start = source + signed()
        claim(count)
        checkRange(start, count)
        source = start + count
        append(start.toInt(), count.toInt())
    }

    private fun run(count: Long) {
        val value = byte()
        claim(count)
        repeat(count.toInt()) { output.put(value) }
    }

    private fun gather(kind: Long) {
        val rows = rows(source + signed())
        source = rows.end
        val factors = factors(kind, rows)
        val counts = IntArray(LOOPS_MAX) { rows.counts.getOrElse(it) { 1L }.toInt() }
        for (i in 0 until counts[0]) {
            for (j in 0 until counts[1]) {
                for (k in 0 until counts[2]) {
                    val at = output.position()
                    appendRow(rows, rows.start + i * rows.stride(0) + j * rows.stride(1) + k * rows.stride(2))
                    when (kind) {
                        PER_ROW -> multiply(at) { factors + 4 * i }
                        PER_ELEMENT -> multiply(at) { element -> factors + 4 * element }
                    }
                }
            }
        }
    }

    /** What a gather reads, checked: a row's spans at `begins` with `lengths`, in nested loops. */
    private class Rows(
        val start: Long,
        val counts: LongArray,
        private val strides: LongArray,
        val begins: LongArray,
        val lengths: LongArray,
        val end: Long,
    ) {
        val bytes = lengths.sum()

        fun stride(loop: Int): Long = strides.getOrElse(loop) { 0L }
    }

    private fun rows(start: Long): Rows {
        val counts = LongArray(bounded(0, LOOPS_MAX.toLong()))
        val strides = LongArray(counts.size)
        for (loop in counts.indices) {
            counts[loop] = positive()
            strides[loop] = number()
        }
        val begins = LongArray(bounded(1, SPANS_MAX.toLong()))
        val lengths = LongArray(begins.size)
        var end = 0L
        for (span in begins.indices) {
            begins[span] = end + number()
            lengths[span] = positive()
            end = begins[span] + lengths[span]
        }
        var last = start
        for (loop in counts.indices) {
            // A step beyond the payload is refused before the product could overflow.
            if (strides[loop] != 0L && counts[loop] - 1 > payloadBytes / strides[loop]) throw BundleException(OUTSIDE)
            last += (counts[loop] - 1) * strides[loop]
        }
        checkRange(start, last + end - start)
        return Rows(start, counts, strides, begins, lengths, last + end).also(::claim)
    }

    private fun claim(rows: Rows) {
        var bytes = rows.bytes
        for (count in rows.counts) {
            if (count > output.remaining() / bytes) throw BundleException(TOO_LONG)
            bytes *= count
        }
        claim(bytes)
    }

    /** Returns the address of a gather's factors, checked; 0 where there are none. */
    private fun factors(kind: Long, rows: Rows): Int {
        if (kind == PLAIN) return 0
        if (kind > PER_ELEMENT || (kind == PER_ROW && rows.counts.isEmpty())) {
            throw BundleException("its delta has a gather of unknown kind $kind")
        }
        if (rows.lengths.any { it % 4 != 0L }) {
            throw BundleException("its delta multiplies spans that are not whole float32 numbers")
        }
        val address = number()
        checkRange(address, if (kind == PER_ROW) 4 * rows.counts[0] else rows.bytes)
        return address.toInt()
    }

    private fun appendRow(rows: Rows, start: Long) {
        for (span in rows.begins.indices) append((start + rows.begins[span]).toInt(), rows.lengths[span].toInt())
    }

    private inline fun multiply(from: Int, factorAt: (Int) -> Int) {
        for (element in 0 until (output.position() - from) / 4) {
            val at = from + 4 * element
            output.putFloat(at, output.getFloat(at) * payload.getFloat(factorAt(element)))
        }
    }

    private fun append(start: Int, count: Int) {
        payload.limit(start + count)
        payload.position(start)
        output.put(payload)
        payload.clear()
    }

    private fun claim(count: Long) {
        if (count < 1 || count > output.remaining()) throw BundleException(TOO_LONG)
    }

    private fun checkRange(start: Long, count: Long) {
        if (start < 0 || count < 0 || start > payloadBytes || count > payloadBytes - start) throw BundleException(OUTSIDE)
    }

    private fun byte(): Byte = if (delta.hasRemaining()) delta.get() else throw BundleException(CUT_OFF)

    private fun number(): Long {
        var value = 0L
        for (place in 0 until 5) {
            val byte = byte().toLong()
            value = value or ((byte and 0x7f) shl (7 * place))
            if (byte >= 0) {
                if (value > UNSIGNED_MAX) break
                return value
            }
        }
        throw BundleException("its delta has a number beyond 32 bits")
    }

    private fun signed(): Long = number().let { if (it and 1 == 1L) -((it + 1) shr 1) else it shr 1 }

    private fun positive(): Long = number().also {
        if (it < 1) throw BundleException("its delta has a count of 0")
    }

    private fun bounded(low: Long, high: Long): Int {
        val value = number()
        if (value !in low..high) throw BundleException("its delta has $value loops or spans, expected $low .. $high")
        return value.toInt()
    }

    private companion object {
        const val PLAIN = 0L
        const val PER_ROW = 1L
        const val PER_ELEMENT = 2L
        const val CUT_OFF = "its delta ends within an instruction"
        const val OUTSIDE = "its delta reads outside the payload"
        const val TOO_LONG = "its delta has an instruction that appends nothing, or more than fits"
    }
}
