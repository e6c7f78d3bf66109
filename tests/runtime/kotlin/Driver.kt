package tfelastic.driver

import java.io.DataInputStream
import java.io.EOFException
import java.io.File
import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode
import java.nio.ByteBuffer
import java.nio.ByteOrder
import tfelastic.Bundle
import tfelastic.Delta
import tfelastic.Dtype
import tfelastic.Encoder
import tfelastic.InputKind
import tfelastic.InputSpec
import tfelastic.InputValue
import tfelastic.Latency
import tfelastic.Policy
import tfelastic.Row
import tfelastic.Runner
import tfelastic.ScoreSpec
import tfelastic.TensorSpec
import tfelastic.TfelasticException
import tfelastic.VariantInfo
import tfelastic.decode
import tfelastic.litert.LiteRt

/**
 * Answers each question on standard input with one line on standard output, as `tests/runtime/cpp/driver.cc` does.
 *
 * A question is three numbers of 32 bits, little-endian, and two ranges of bytes: what is asked, the lengths of both
 * ranges, and these. The arguments are LiteRT's library and its version.
 */
fun main(arguments: Array<String>) {
    val (library, version) = arguments
    val runtimes = listOf(false, true).map { LiteRt(File(library), version, usesXnnpack = it) }
    val input = DataInputStream(System.`in`.buffered())
    while (true) {
        val head = try {
            ByteArray(12).also(input::readFully)
        } catch (_: EOFException) {
            return
        }
        val numbers = littleEndian(head)
        val question = numbers.getInt(0)
        val first = ByteArray(numbers.getInt(4)).also(input::readFully)
        val second = ByteArray(numbers.getInt(8)).also(input::readFully)
        val answer = try {
            if (question and 0xff == 'r'.code) {
                answerRuns(runtimes[question shr 8 and 1], question shr 9, first, second)
            } else {
                answer(question, first, second)
            }
        } catch (refused: TfelasticException) {
            "${refused.message}".replace('\n', ' ')
        }
        println(answer)
        System.out.flush()
    }
}

private fun answer(question: Int, first: ByteArray, second: ByteArray): String = when ((question and 0xff).toChar()) {
    'p' -> "ok ${hex(Delta(ByteBuffer.wrap(first), ByteBuffer.wrap(second), question ushr 8).expand())}"
    'b' -> answerBundle(Bundle.of(ByteBuffer.wrap(first)))
    'n' -> digits(first.decodeToString().toDouble(), 17)
    'c' -> answerPolicy(littleEndian(first), littleEndian(second))
    'l' -> answerLatencies(littleEndian(first))
    'e' -> answerEncoding(tensorOf(first), realsOf(second), InputKind.VALUES, second.size / 4)
    'i' -> answerEncoding(tensorOf(first), InputValue.Pixels(second), InputKind.IMAGE, second.size)
    'd' -> answerDecoding(tensorOf(first), second)
    'o' -> littleEndian(first).getDouble(0).let { "${ScoreSpec("m").order(it)} ${ScoreSpec("m", false).order(it)}" }
    else -> throw IllegalArgumentException("unknown question $question")
}

/** "ok", what the manifest says, and behind tabs each input, output and variant. */
private fun answerBundle(bundle: Bundle): String {
    val manifest = bundle.manifest
    val parts = ArrayList<String>()
    parts += "ok ${if (manifest.score.higherIsBetter) 1 else 0} ${manifest.payloadBytes}"
    for (spec in manifest.inputs) {
        parts += "input ${hexOf(spec.name)} ${spec.kind.name.lowercase()} ${spec.shape.joinToString(" ")}"
    }
    for (spec in manifest.outputs) {
        val labels = spec.labels.orEmpty().joinToString("") { " ${hexOf(it)}" }
        parts += "output ${hexOf(spec.name)} ${spec.kind.name.lowercase()} ${spec.shape.joinToString(" ")}$labels"
    }
    for (variant in bundle.variants) {
        val model = try {
            hex(bundle.model(variant.name))
        } catch (_: TfelasticException) {
            ""
        }
        parts += "${recordOf(variant, manifest.score)} | ${if (model.isEmpty()) "" else "ok"} | $model"
    }
    return parts.joinToString("\t")
}

private fun recordOf(variant: VariantInfo, score: ScoreSpec): String {
    val words = arrayListOf<Any>(variant.name, digits(variant.width, 17), digits(variant.score, 17), score.order(variant.score))
    words += variant.arenaBytes ?: -1
    words += variant.bytes
    words += if (variant.stored.isWhole) "whole" else "delta"
    words += variant.stored.offset
    words += variant.stored.bytes
    for (tensor in variant.inputs + variant.outputs) {
        words.addAll(listOf(tensor.position, tensor.dtype.jsonName, digits(tensor.scale.toFloat().toDouble(), 9), tensor.zeroPoint))
    }
    return words.joinToString(" ")
}

/** The outputs of a variant for each set of inputs, as LiteRT computes them, all in the manifest's order. */
private fun answerRuns(runtime: LiteRt, variant: Int, data: ByteArray, given: ByteArray): String {
    val bundle = Bundle.of(ByteBuffer.wrap(data))
    val inputs = littleEndian(given)
    return Runner.open(bundle, bundle.variants[variant].name, runtime, threads = 1).use { runner ->
        val found = StringBuilder("ok ")
        while (inputs.hasRemaining()) {
            val outputs = runner.run(bundle.manifest.inputs.associate { it.name to valueOf(it, inputs) })
            for (spec in bundle.manifest.outputs) found.append(hexOf(outputs.getValue(spec.name)))
        }
        found.toString()
    }
}

private fun valueOf(spec: InputSpec, from: ByteBuffer): InputValue = when (spec.kind) {
    InputKind.IMAGE -> InputValue.Pixels(ByteArray(spec.elements).also(from::get))
    InputKind.VALUES -> InputValue.Reals(FloatArray(spec.elements) { from.getFloat() })
}

/** The choice before each step, of a budget, what the run took, and a row that leaves before or -1; and the state behind it. */
private fun answerPolicy(table: ByteBuffer, steps: ByteBuffer): String {
    val policy = Policy(
        List(table.capacity() / 32) { row ->
            val (scoreOrder, p50Us, p90Us, switchUs) = List(4) { Math.toIntExact(table.getLong(32 * row + 8 * it)) }
            Row(scoreOrder, p50Us, p90Us, switchUs)
        },
    )
    return (0 until steps.capacity() / 24).joinToString("") { step ->
        val (budgetUs, observedUs, removed) = List(3) { steps.getLong(24 * step + 8 * it) }
        if (removed >= 0) policy.remove(Math.toIntExact(removed))
        val choice = policy.choose(Math.toIntExact(budgetUs))
        policy.observe(observedUs)
        val slowdown = policy.slowdown
        "${choice.index} ${choice.predictedUs} ${if (choice.isFeasible) 1 else 0} ${slowdown.q16} ${slowdown.spreadQ16}\t"
    }
}

private fun answerLatencies(numbers: ByteBuffer): String {
    val found = Latency.of(List(numbers.capacity() / 8) { Math.toIntExact(numbers.getLong(8 * it)) })
    return "${found.p50Us} ${found.p90Us}"
}

private fun answerEncoding(tensor: TensorSpec, value: InputValue, kind: InputKind, count: Int): String {
    val shape = if (kind == InputKind.IMAGE) listOf(1, 1, count, 1) else listOf(1, count)
    val target = littleEndian(ByteArray(count * tensor.dtype.bytes))
    Encoder(InputSpec("x", shape, kind), tensor).encode(value, target)
    return hex(target)
}

/** The bytes of the real numbers that stored ones mean. */
private fun answerDecoding(tensor: TensorSpec, stored: ByteArray): String = hexOf(decode(littleEndian(stored), tensor))

private fun hexOf(numbers: FloatArray): String {
    val bytes = littleEndian(ByteArray(4 * numbers.size))
    bytes.asFloatBuffer().put(numbers)
    return hex(bytes)
}

private fun tensorOf(head: ByteArray): TensorSpec {
    val numbers = littleEndian(head)
    return TensorSpec(0, Dtype.entries[numbers.getInt(0)], numbers.getFloat(8).toDouble(), numbers.getInt(4))
}

private fun realsOf(bytes: ByteArray) =
    InputValue.Reals(FloatArray(bytes.size / 4).also { littleEndian(bytes).asFloatBuffer().get(it) })

private fun littleEndian(bytes: ByteArray): ByteBuffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)

private fun hexOf(text: String): String = hex(ByteBuffer.wrap(text.toByteArray()))

private fun hex(bytes: ByteBuffer): String {
    val found = StringBuilder()
    for (index in bytes.position() until bytes.limit()) found.append("%02x".format(bytes.get(index)))
    return found.toString()
}

/** C's `%.17g`: so many significant digits, without zeros at the end. */
private fun digits(number: Double, count: Int): String {
    if (number == 0.0) return if (1 / number < 0) "-0" else "0"
    if (number.isInfinite()) return if (number < 0) "-inf" else "inf"
    val rounded = BigDecimal(number).round(MathContext(count, RoundingMode.HALF_EVEN)).stripTrailingZeros()
    val exponent = rounded.precision() - rounded.scale() - 1
    if (exponent >= -4 && exponent < count) return rounded.toPlainString()
    val mantissa = rounded.movePointLeft(exponent).toPlainString()
    return "${mantissa}e${if (exponent < 0) "-" else "+"}${"%02d".format(Math.abs(exponent))}"
}
