// What the stub of TFLM asks of a program.
extern "C" void tflm_stub_allocated(unsigned long) {}
extern "C" void tflm_stub_invoked(unsigned long) {}
