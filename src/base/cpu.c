#include "base/cpu.h"

bool tsfs_cpu_portable_only;
