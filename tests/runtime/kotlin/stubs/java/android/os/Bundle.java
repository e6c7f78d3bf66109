package android.os;

public final class Bundle {
    @Deprecated
    public <T extends Parcelable> T getParcelable(String key) {
        return null;
    }
}
