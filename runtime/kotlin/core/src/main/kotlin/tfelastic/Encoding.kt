package tfelastic

import java.nio.ByteBuffer

/** One input's value, without the first axis of its shape, in row-major order. */
sealed class InputValue {
    /** Raw pixels 0 .. 255, `[height, width, channels]`, without preprocessing. */
    class Pixels(val bytes: ByteArray) : InputValue()

    /** Real numbers. */
    class Reals(val numbers: FloatArray) : InputValue()
}

/** Returns inputs of zeros: black pixels, and values of 0. */
fun blankInputs(specs: List<InputSpec>): Map<String, InputValue> = specs.associate { spec ->
    spec.name to when (spec.kind) {
        InputKind.IMAGE -> InputValue.Pixels(ByteArray(spec.elements))
        InputKind.VALUES -> InputValue.Reals(FloatArray(spec.elements))
    }
}

/**
 * Encodes one input for one variant (`runtime/SPEC.md`, section 3): every step is one operation of single precision,
 * so that all languages agree to the bit.
 */
internal class Encoder(private val spec: InputSpec, private val tensor: TensorSpec) {
    private val scale = tensor.scale.toFloat()
    private val isExact = scale == 1f && tensor.zeroPoint == if (tensor.dtype == Dtype.INT8) -128 else 0
    private val low = limits(tensor.dtype).first.toDouble()
    private val high = limits(tensor.dtype).last.toDouble()
    private val bytes = ByteArray(if (tensor.dtype.bytes == 1) spec.elements else 0)

    /** Writes the variant's tensor to the start of `target`, which is of native byte order. */
    fun encode(value: InputValue, target: ByteBuffer) {
        checkKind(value)
        target.clear()
        when (value) {
            is InputValue.Pixels -> encodePixels(value.bytes, target)
            is InputValue.Reals -> write(target) { finite(value.numbers, it) }
        }
        target.flip()
    }

    private fun encodePixels(pixels: ByteArray, target: ByteBuffer) {
        if (isExact && tensor.dtype.bytes == 1) {
            // Flipping the top bit subtracts 128 in two's complement.
            val flip = if (tensor.dtype == Dtype.INT8) 0x80 else 0
            for (index in pixels.indices) bytes[index] = (pixels[index].toInt() xor flip).toByte()
            target.put(bytes)
        } else {
            write(target) { (pixels[it].toInt() and 0xff).toFloat() }
        }
    }

    private inline fun write(target: ByteBuffer, real: (Int) -> Float) {
        val count = spec.elements
        when (tensor.dtype) {
            Dtype.FLOAT32 -> for (index in 0 until count) target.putFloat(real(index))
            Dtype.INT32 -> for (index in 0 until count) target.putInt(quantized(real(index)))
            Dtype.INT16 -> for (index in 0 until count) target.putShort(quantized(real(index)).toShort())
            Dtype.INT8, Dtype.UINT8 -> {
                for (index in 0 until count) bytes[index] = quantized(real(index)).toByte()
                target.put(bytes)
            }
        }
    }

    /** In double precision the sum is exact wherever it is not clipped. */
    private fun quantized(real: Float): Int =
        (Math.rint((real / scale).toDouble()) + tensor.zeroPoint).coerceIn(low, high).toInt()

    private fun finite(numbers: FloatArray, index: Int): Float {
        val number = numbers[index]
        if (!number.isFinite()) {
            throw InputException(
                "input ${jsonOf(spec.name)}: expected numbers that are finite in float32, received $number at element $index",
            )
        }
        return number
    }

    private fun checkKind(value: InputValue) {
        val (isImage, size) = when (value) {
            is InputValue.Pixels -> true to value.bytes.size
            is InputValue.Reals -> false to value.numbers.size
        }
        if (isImage == (spec.kind == InputKind.IMAGE) && size == spec.elements) return
        val expected = if (spec.kind == InputKind.IMAGE) "pixels of [height, width, channels]" else "real numbers of shape"
        throw InputException(
            "input ${jsonOf(spec.name)}: expected ${spec.elements} $expected ${spec.shape.drop(1)}, received $size " +
                if (isImage) "pixels" else "real numbers",
        )
    }
}

/** Returns the real numbers of a stored output; `stored` is of native byte order. */
internal fun decode(stored: ByteBuffer, tensor: TensorSpec): FloatArray {
    val count = stored.remaining() / tensor.dtype.bytes
    val start = stored.position()
    if (tensor.dtype == Dtype.FLOAT32) {
        return FloatArray(count).also { stored.asFloatBuffer().get(it) }
    }
    val scale = tensor.scale.toFloat()
    val zeroPoint = tensor.zeroPoint.toFloat()
    return FloatArray(count) { index ->
        val number = when (tensor.dtype) {
            Dtype.INT8 -> stored.get(start + index).toInt()
            Dtype.UINT8 -> stored.get(start + index).toInt() and 0xff
            Dtype.INT16 -> stored.getShort(start + 2 * index).toInt()
            else -> stored.getInt(start + 4 * index)
        }
        (number.toFloat() - zeroPoint) * scale
    }
}

private fun limits(dtype: Dtype): IntRange = when (dtype) {
    Dtype.INT8 -> -128..127
    Dtype.UINT8 -> 0..255
    Dtype.INT16 -> -32768..32767
    Dtype.INT32, Dtype.FLOAT32 -> Int.MIN_VALUE..Int.MAX_VALUE
}
