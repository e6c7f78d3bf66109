package android.content;

import android.content.res.AssetManager;
import java.io.File;

public class Context {
    public AssetManager getAssets() {
        return null;
    }

    public File getFilesDir() {
        return null;
    }

    public ContentResolver getContentResolver() {
        return null;
    }

    public final String getString(int id) {
        return null;
    }

    public final String getString(int id, Object... values) {
        return null;
    }

    public final <T> T getSystemService(Class<T> service) {
        return null;
    }
}
