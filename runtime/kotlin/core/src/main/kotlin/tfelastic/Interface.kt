package tfelastic

private val schema = Schema(::BundleException)

/** Inputs of a network, and outputs, at most. */
internal const val TENSORS_MAX = 16
private const val RANK_MAX = 5
private const val NAME_MAX = 64

/** How a variant stores numbers; `jsonName` is the type's name in a manifest. */
enum class Dtype(val jsonName: String, val bytes: Int, internal val zeroPoints: IntRange, internal val isScaled: Boolean) {
    INT8("int8", 1, -128..127, true),
    UINT8("uint8", 1, 0..255, true),
    INT16("int16", 2, 0..0, true),
    INT32("int32", 4, 0..0, false),
    FLOAT32("float32", 4, 0..0, false),
}

enum class InputKind {
    /** Raw pixels of uint8, `[1, height, width, channels]`. */
    IMAGE,

    /** Real numbers. */
    VALUES,
}

enum class OutputKind { LOGITS, PROBABILITIES, VALUES }

/**
 * One input of the network.
 *
 * @property name Its name, unique among the inputs.
 * @property shape Its static shape, `[1, ...]`.
 */
data class InputSpec(val name: String, val shape: List<Int>, val kind: InputKind = InputKind.VALUES) {
    init {
        checkShape(name, shape, "input")
        schema.require(kind != InputKind.IMAGE || shape.size == 4) {
            "input ${jsonOf(name)}: an image has the shape [1, height, width, channels], received $shape"
        }
    }

    /** The numbers that one value of this input has. */
    val elements: Int get() = elementsOf(shape)

    internal companion object {
        fun fromJson(data: Any?, where: String): InputSpec {
            val kind = kindOf(schema.fields(data, where, "kind")["kind"], InputKind.entries, where)
            if (kind == InputKind.VALUES) {
                val found = schema.exactly(data, where, "name", "shape", "kind")
                return InputSpec(nameOf(found, where), shapeOf(found, where), kind)
            }
            val found = schema.exactly(data, where, "name", "shape", "kind", "layout", "range")
            schema.require(found["layout"] == "NHWC") { "$where.layout: expected \"NHWC\", received ${jsonOf(found["layout"])}" }
            schema.require(found["range"] == listOf(0L, 255L)) { "$where.range: expected [0, 255], received ${jsonOf(found["range"])}" }
            return InputSpec(nameOf(found, where), shapeOf(found, where), kind)
        }
    }
}

/**
 * One output of the network.
 *
 * @property shape Its static shape, `[1, ...]`.
 * @property labels One text per element of the last axis, or null.
 */
data class OutputSpec(
    val name: String,
    val shape: List<Int>,
    val kind: OutputKind = OutputKind.VALUES,
    val labels: List<String>? = null,
) {
    init {
        checkShape(name, shape, "output")
        labels?.forEach { schema.text(it, "output ${jsonOf(name)}: labels") }
        schema.require(labels == null || labels.size == shape.last()) {
            "output ${jsonOf(name)}: labels: expected one per class, ${shape.last()}, received ${labels?.size}"
        }
    }

    /** The numbers that one value of this output has. */
    val elements: Int get() = elementsOf(shape)

    /** Whether its largest number names one of several classes: `[1, classes]`, not values. */
    val isClassifier: Boolean get() = kind != OutputKind.VALUES && shape.size == 2 && shape[1] > 1

    internal companion object {
        fun fromJson(data: Any?, where: String): OutputSpec {
            val found = schema.exactly(data, where, "name", "shape", "kind", "labels")
            val labels = found["labels"]?.let { array ->
                schema.array(array, "$where.labels").map { schema.text(it, "$where.labels") }
            }
            return OutputSpec(
                nameOf(found, where),
                shapeOf(found, where),
                kindOf(found["kind"], OutputKind.entries, where),
                labels,
            )
        }
    }
}

/**
 * How one variant stores an input or output: `real = (stored - zeroPoint) * scale`.
 *
 * @property position Which of the .tflite's own inputs, or outputs, it is, counted from 0.
 * @property scale The step between neighbouring values, exactly representable in single precision.
 */
data class TensorSpec(val position: Int, val dtype: Dtype, val scale: Double = 1.0, val zeroPoint: Int = 0) {
    init {
        schema.int(position.toLong(), "position", 0..255)
        schema.number(scale, "scale", SCALE_MIN, SCALE_MAX)
        schema.int(zeroPoint.toLong(), "zero_point of ${dtype.jsonName}", dtype.zeroPoints)
        schema.require(dtype.isScaled || scale == 1.0) { "scale: expected 1 for ${dtype.jsonName}, received $scale" }
    }

    internal companion object {
        private const val SCALE_MIN = 1.0 / (1L shl 62) / (1L shl 62) / 4
        private const val SCALE_MAX = 2.0 * (1L shl 62) * (1L shl 62) * 4

        fun fromJson(data: Any?, where: String): TensorSpec {
            val found = schema.exactly(data, where, "position", "dtype", "scale", "zero_point")
            val dtype = Dtype.entries.firstOrNull { it.jsonName == found["dtype"] }
                ?: schema.fail(
                    "$where.dtype: expected one of ${Dtype.entries.joinToString { it.jsonName }}, " +
                        "received ${jsonOf(found["dtype"])}",
                )
            return TensorSpec(
                schema.int(found["position"], "$where.position", 0..255),
                dtype,
                schema.number(found["scale"], "$where.scale", SCALE_MIN, SCALE_MAX),
                schema.int(found["zero_point"], "$where.zero_point", dtype.zeroPoints),
            )
        }
    }
}

internal fun checkUnique(names: List<String>, where: String) {
    schema.require(names.isNotEmpty()) { "$where: expected at least one" }
    schema.require(names.toSet().size == names.size) { "$where: names must be unique, received ${listed(names)}" }
}

private fun checkShape(name: String, shape: List<Int>, what: String) {
    val where = "$what ${jsonOf(schema.text(name, "$what name", NAME_MAX))}: shape"
    schema.require(shape.size in 1..RANK_MAX && shape[0] == 1 && shape.all { it in 1..65535 }) {
        "$where: expected [1, ...] with 1 to $RANK_MAX sizes in 1 .. 65535, received $shape"
    }
    val elements = shape.fold(1L) { product, size -> minOf(product * size, Int.MAX_VALUE + 1L) }
    schema.require(elements <= Int.MAX_VALUE) { "$where: expected at most ${Int.MAX_VALUE} elements, received $shape" }
}

private fun elementsOf(shape: List<Int>): Int = shape.fold(1) { product, size -> product * size }

private fun nameOf(found: Map<String, Any?>, where: String): String = schema.text(found["name"], "$where.name", NAME_MAX)

private fun shapeOf(found: Map<String, Any?>, where: String): List<Int> =
    schema.array(found["shape"], "$where.shape").map { schema.int(it, "$where.shape", 1..65535) }

private fun <Kind : Enum<Kind>> kindOf(data: Any?, kinds: List<Kind>, where: String): Kind =
    kinds.firstOrNull { it.name.lowercase() == data }
        ?: schema.fail("$where.kind: expected one of ${kinds.joinToString { it.name.lowercase() }}, received ${jsonOf(data)}")
