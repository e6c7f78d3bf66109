package org.tensorflow.lite;

import java.nio.ByteBuffer;
import java.util.Map;

public final class Interpreter implements AutoCloseable {
    public static class Options {
        public Options setNumThreads(int threads) {
            return this;
        }

        public Options setUseXNNPACK(boolean useXnnpack) {
            return this;
        }
    }

    public Interpreter(ByteBuffer model, Options options) {}

    public void allocateTensors() {}

    public int getInputTensorCount() {
        return 0;
    }

    public int getOutputTensorCount() {
        return 0;
    }

    public Tensor getInputTensor(int index) {
        return null;
    }

    public Tensor getOutputTensor(int index) {
        return null;
    }

    public void runForMultipleInputsOutputs(Object[] inputs, Map<Integer, Object> outputs) {}

    @Override
    public void close() {}
}
