package android.os;

public final class PowerManager {
    public float getThermalHeadroom(int forecastSeconds) {
        return 0;
    }
}
