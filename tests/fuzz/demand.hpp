// What the fuzzers ask of what they drive.
#pragma once

#include <cstdlib>

inline void demand(bool holds)
{
    if (!holds)
        std::abort();
}
