package tfelastic

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.CodingErrorAction

internal const val DEPTH_MAX = 24
internal const val KEYS_MAX = 512

internal class JsonException(message: String) : Exception(message)

/** Returns strictly decoded text: a byte that is no UTF-8 is an error, not a replacement character. */
internal fun utf8(data: ByteBuffer): String = try {
    Charsets.UTF_8.newDecoder()
        .onMalformedInput(CodingErrorAction.REPORT)
        .onUnmappableCharacter(CodingErrorAction.REPORT)
        .decode(data)
        .toString()
} catch (_: CharacterCodingException) {
    throw JsonException("its bytes are no UTF-8")
}

/**
 * Reads one JSON text within the limits of SPEC.md, section 1.
 *
 * Objects become maps in the order of their keys, arrays lists, integers that fit `Long`, other numbers
 * `Double`. A key that occurs twice, NaN and halves of surrogate pairs are refused. General JSON libraries keep
 * the last of two equal keys, let the depth be whatever the stack holds, or turn integers into fractions.
 */
internal class JsonReader(private val text: String) {
    private var at = 0

    fun read(): Any? {
        val found = value(depth = 0, keys = 0)
        skipSpace()
        if (at != text.length) fail("text follows the value")
        return found
    }

    private fun value(depth: Int, keys: Int): Any? {
        skipSpace()
        return when (peek()) {
            '{' -> obj(depth, keys)
            '[' -> array(depth, keys)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun obj(depth: Int, keys: Int): Map<String, Any?> {
        enter(depth)
        val found = LinkedHashMap<String, Any?>()
        if (endsHere('}')) return found
        do {
            skipSpace()
            val key = string()
            if (key in found) fail("a key occurs twice in one object")
            skipSpace()
            expect(':')
            val count = keys + found.size + 1
            if (count > KEYS_MAX) fail("it has more than $KEYS_MAX keys in an object and those around it")
            found[key] = value(depth + 1, count)
        } while (another('}'))
        return found
    }

    private fun array(depth: Int, keys: Int): List<Any?> {
        enter(depth)
        val found = ArrayList<Any?>()
        if (endsHere(']')) return found
        do found += value(depth + 1, keys) while (another(']'))
        return found
    }

    private fun enter(depth: Int) {
        if (depth == DEPTH_MAX) fail("it has more than $DEPTH_MAX objects and arrays in each other")
        at++
    }

    private fun endsHere(end: Char): Boolean {
        skipSpace()
        return (peek() == end).also { if (it) at++ }
    }

    private fun another(end: Char): Boolean {
        skipSpace()
        if (peek() == ',') {
            at++
            return true
        }
        expect(end)
        return false
    }

    private fun string(): String {
        expect('"')
        val found = StringBuilder()
        while (true) {
            val start = at
            while (at < text.length && text[at] != '"' && text[at] != '\\' && text[at] >= ' ') at++
            found.append(text, start, at)
            when (peek()) {
                '"' -> break
                '\\' -> found.append(escaped())
                else -> fail("a text holds a control character")
            }
        }
        at++
        return found.toString().also(::checkPairs)
    }

    private fun escaped(): Char {
        at++
        val letter = peek()
        at++
        return when (letter) {
            '"', '\\', '/' -> letter
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                val digits = text.substring(at, minOf(at + 4, text.length))
                if (digits.length < 4 || !digits.all { it in '0'..'9' || it in 'a'..'f' || it in 'A'..'F' }) {
                    fail("an escape is not \\u and four hexadecimal digits")
                }
                at += 4
                digits.toInt(16).toChar()
            }
            else -> fail("a text holds an unknown escape")
        }
    }

    private fun checkPairs(found: String) {
        var index = 0
        while (index < found.length) {
            val next = found.getOrNull(index + 1)
            when {
                !found[index].isSurrogate() -> index++
                found[index].isHighSurrogate() && next != null && next.isLowSurrogate() -> index += 2
                else -> fail("a text holds half of a surrogate pair")
            }
        }
    }

    private fun number(): Any {
        val start = at
        if (peek() == '-') at++
        if (peek() == '0') at++ else digits()
        val isInteger = at == text.length || text[at] !in ".eE"
        if (at < text.length && text[at] == '.') {
            at++
            digits()
        }
        if (at < text.length && text[at] in "eE") {
            at++
            if (peek() in "+-") at++
            digits()
        }
        val found = text.substring(start, at)
        return (if (isInteger) found.toLongOrNull() else null) ?: found.toDouble()
    }

    private fun digits() {
        if (peek() !in '0'..'9') fail("a value is expected")
        while (at < text.length && text[at] in '0'..'9') at++
    }

    private fun <T> word(word: String, value: T): T {
        if (!text.startsWith(word, at)) fail("a value is expected")
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("it ends within a value")

    private fun expect(char: Char) {
        if (peek() != char) fail("'$char' is expected")
        at++
    }

    private fun fail(what: String): Nothing = throw JsonException("$what at character $at")
}

/** Returns plain data as JSON text: maps, lists, texts, numbers, true, false and null. */
internal fun jsonOf(data: Any?): String = when (data) {
    is Map<*, *> -> data.entries.joinToString(",", "{", "}") { (key, value) -> "${quoted("$key")}:${jsonOf(value)}" }
    is List<*> -> data.joinToString(",", "[", "]", transform = ::jsonOf)
    is String -> quoted(data)
    else -> data.toString()
}

private fun quoted(text: String): String = text.map { char ->
    when {
        char == '"' || char == '\\' -> "\\$char"
        char < ' ' || char.isSurrogate() || char in '\u007f'..'\u009f' -> "\\u%04x".format(char.code)
        else -> char.toString()
    }
}.joinToString("", "\"", "\"")
