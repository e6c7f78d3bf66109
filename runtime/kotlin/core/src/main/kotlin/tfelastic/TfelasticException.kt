package tfelastic

/** The base of every error that the runtime raises on purpose. A file that cannot be read raises `IOException`. */
sealed class TfelasticException(message: String, cause: Throwable? = null) : RuntimeException(message, cause)

/** A bundle is damaged, malformed, or of a newer format than this reader knows. */
class BundleException(message: String, cause: Throwable? = null) : TfelasticException(message, cause)

/** A latency table is malformed, or belongs to another bundle. */
class ProfileException(message: String, cause: Throwable? = null) : TfelasticException(message, cause)

/** A latency budget is out of range. */
class BudgetException(message: String) : TfelasticException(message)

/** An input is not what the bundle takes: its name, kind or size, or a number is not finite. */
class InputException(message: String) : TfelasticException(message)

/** A runtime cannot open or run a variant. */
class BackendException(message: String, cause: Throwable? = null) : TfelasticException(message, cause)

/** A selector is used after it was closed. */
class ClosedException(message: String) : TfelasticException(message)
