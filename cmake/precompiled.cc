// The target that owns the precompiled headers needs a source (KryptonTargets.cmake).
int main() { return 0; }
