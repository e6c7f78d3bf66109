package android.graphics;

import android.os.Parcelable;

public final class Bitmap implements Parcelable {
    public int getWidth() {
        return 0;
    }

    public int getHeight() {
        return 0;
    }

    public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {}

    public static Bitmap createBitmap(Bitmap source, int x, int y, int width, int height) {
        return null;
    }

    public static Bitmap createScaledBitmap(Bitmap source, int width, int height, boolean filter) {
        return null;
    }
}
