// In GCC's shared libraries UndefinedBehaviorSanitizer does not write its reports where
// AddressSanitizer does (log_path): it ends the process instead, so that AddressSanitizer reports
// that, with the stack.
extern "C" void __ubsan_on_report();
extern "C" void __ubsan_on_report() { __builtin_trap(); }
