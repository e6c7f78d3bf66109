package tfelastic

private val schema = Schema(::BundleException)
private const val MANIFEST_FORMAT = 3L
private const val VARIANTS_MAX = 64

/**
 * What a bundle says of itself.
 *
 * @property producer The program that wrote the bundle, with its version.
 * @property inputs What the network takes, in the order in which each variant lists its tensors; `outputs` likewise.
 * @property variants Widest first.
 * @property profiles Latency tables that travel with the bundle; none is used unless it is chosen.
 */
class Manifest internal constructor(
    val name: String,
    val producer: String,
    val inputs: List<InputSpec>,
    val outputs: List<OutputSpec>,
    val score: ScoreSpec,
    val payloadBytes: Int,
    val variants: List<VariantInfo>,
    val profiles: List<Profile>,
) {
    init {
        schema.text(name, "name")
        schema.text(producer, "producer")
        checkUnique(inputs.map(InputSpec::name), "inputs")
        checkUnique(outputs.map(OutputSpec::name), "outputs")
        checkUnique(variants.map(VariantInfo::name), "variants")
        schema.require(variants.zipWithNext().all { (wide, narrow) -> wide.width >= narrow.width }) {
            "variants: expected widest first, received widths ${variants.map(VariantInfo::width)}"
        }
        variants.forEach(::checkVariant)
        profiles.forEach(::checkProfile)
    }

    /** The one output that is a classifier's and has labels; null where none or several are. */
    val classifier: OutputSpec? get() = outputs.singleOrNull { it.isClassifier && it.labels != null }

    private fun checkVariant(variant: VariantInfo) {
        val stored = variant.stored
        schema.require(maxOf(variant.bytes.toLong(), stored.offset.toLong() + stored.bytes) <= payloadBytes) {
            "variant \"${variant.name}\": neither it, ${variant.bytes} bytes, nor what is stored of it, ${stored.bytes} " +
                "bytes from ${stored.offset}, may go beyond the payload's $payloadBytes bytes"
        }
        schema.require(variant.inputs.size == inputs.size && variant.outputs.size == outputs.size) {
            "variant \"${variant.name}\": expected one record for each of the network's ${inputs.size} inputs and " +
                "${outputs.size} outputs, received ${variant.inputs.size} and ${variant.outputs.size}"
        }
    }

    private fun checkProfile(profile: Profile) {
        schema.require(profile.latencies.keys == variants.map(VariantInfo::name).toSet()) {
            "profiles: expected latencies of ${variants.joinToString { it.name }}, received ${listed(profile.latencies.keys)}"
        }
        for ((key, value) in profile.device) {
            schema.text(key, "profiles: device")
            when (value) {
                is String -> schema.text(value, "profiles: device[${jsonOf(key)}]")
                is Number -> schema.finite(value, "profiles: device[${jsonOf(key)}]")
            }
        }
    }

    internal companion object {
        fun fromJson(data: Any?): Manifest {
            val version = schema.long(schema.fields(data, "manifest", "format")["format"], "format", 1..COUNT_MAX)
            schema.require(version == MANIFEST_FORMAT) {
                "the manifest is of format $version, this reader knows format $MANIFEST_FORMAT: update tfelastic, or " +
                    "export the bundle again"
            }
            val found = schema.exactly(
                data, "manifest",
                "format", "name", "producer", "inputs", "outputs", "score", "payload_bytes", "variants", "profiles",
            )
            return Manifest(
                name = schema.text(found["name"], "name"),
                producer = schema.text(found["producer"], "producer"),
                inputs = each(found["inputs"], "inputs", TENSORS_MAX, InputSpec::fromJson),
                outputs = each(found["outputs"], "outputs", TENSORS_MAX, OutputSpec::fromJson),
                score = ScoreSpec.fromJson(found["score"]),
                payloadBytes = schema.int(found["payload_bytes"], "payload_bytes", 1..Int.MAX_VALUE),
                variants = each(found["variants"], "variants", VARIANTS_MAX, VariantInfo::fromJson),
                profiles = schema.array(found["profiles"], "profiles").map(::profile),
            )
        }

        private fun profile(data: Any?): Profile = try {
            Profile.fromJson(data)
        } catch (cause: ProfileException) {
            throw BundleException("profiles: ${cause.message}", cause)
        }

        /** Reads an array of records, after counting them. */
        private fun <T> each(data: Any?, where: String, longest: Int, read: (Any?, String) -> T): List<T> {
            val found = schema.array(data, where)
            schema.require(found.size <= longest) { "$where: expected at most $longest, received ${found.size}" }
            return found.mapIndexed { index, record -> read(record, "$where[$index]") }
        }
    }
}
