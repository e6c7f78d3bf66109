/* Start of a program on Arm's mps2-an386 (Cortex-M4F) under QEMU, with semihosting for files, standard output
 * and the command line. QEMU loads every segment to where it belongs, so nothing is copied here. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

extern uint32_t __stack_top, __bss_start__, __bss_end__;
extern void initialise_monitor_handles(void);
extern void __libc_init_array(void);
extern int main(int argc, char** argv);

/* What the compiler's own start files would define. */
void* __dso_handle = NULL;
void _init(void) {}
void _fini(void) {}

static int semihosting(int operation, void* argument) {
  register int r0 __asm__("r0") = operation;
  register void* r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

/* Splits the command line at its spaces. */
static int arguments(char* line, size_t capacity, char** argv, int most) {
  struct {
    char* buffer;
    size_t capacity;
  } block = {line, capacity};
  int count = 0;
  if (semihosting(0x15, &block) != 0) return 0;
  for (char* at = line; *at != '\0' && count < most;) {
    while (*at == ' ') *at++ = '\0';
    if (*at != '\0') argv[count++] = at;
    while (*at != '\0' && *at != ' ') ++at;
  }
  return count;
}

void Reset_Handler(void) {
  static char line[1024];
  static char* argv[8];
  /* CP10 and CP11: the floating-point unit. */
  *(volatile uint32_t*)0xE000ED88 |= 0xFu << 20;
  for (uint32_t* word = &__bss_start__; word < &__bss_end__; ++word) *word = 0;
  initialise_monitor_handles();
  __libc_init_array();
  exit(main(arguments(line, sizeof(line), argv, 8), argv));
}

/* A fault ends the program with an exit code, not with silence. */
static void Fault_Handler(void) { _Exit(99); }

__attribute__((section(".vectors"), used)) static void* const vectors[16] = {
    &__stack_top,           (void*)Reset_Handler, (void*)Fault_Handler, (void*)Fault_Handler,
    (void*)Fault_Handler, (void*)Fault_Handler, (void*)Fault_Handler};
