package tfelastic.example

import android.graphics.Bitmap
import tfelastic.InputValue

/**
 * Returns a picture's raw pixels in the network's size: its centre, scaled.
 *
 * @param shape `[1, height, width, channels]` with 3 channels, red, green and blue, or 1, grey.
 */
fun pixelsOf(picture: Bitmap, shape: List<Int>): InputValue.Pixels {
    val (_, height, width, channels) = shape
    require(channels == 1 || channels == 3) { "expected 1 or 3 channels, the network has $channels" }
    val colors = IntArray(height * width)
    centred(picture, width, height).getPixels(colors, 0, width, 0, 0, width, height)
    val bytes = ByteArray(colors.size * channels)
    for ((index, color) in colors.withIndex()) {
        val red = color shr 16 and 0xff
        val green = color shr 8 and 0xff
        val blue = color and 0xff
        if (channels == 3) {
            bytes[3 * index] = red.toByte()
            bytes[3 * index + 1] = green.toByte()
            bytes[3 * index + 2] = blue.toByte()
        } else {
            // ITU-R BT.601, as Keras and Pillow turn colours to grey.
            bytes[index] = ((299 * red + 587 * green + 114 * blue + 500) / 1000).toByte()
        }
    }
    return InputValue.Pixels(bytes)
}

/** Cuts the largest part of the wanted proportions out of the middle, and scales it. */
private fun centred(picture: Bitmap, width: Int, height: Int): Bitmap {
    val cutWidth = minOf(picture.width, maxOf(1, picture.height * width / height))
    val cutHeight = minOf(picture.height, maxOf(1, picture.width * height / width))
    val cut = Bitmap.createBitmap(
        picture, (picture.width - cutWidth) / 2, (picture.height - cutHeight) / 2, cutWidth, cutHeight,
    )
    return Bitmap.createScaledBitmap(cut, width, height, true)
}
