// The table of ways to misbehave.
#pragma once

#include "conversation.hpp"

#include <string>
#include <vector>

namespace misbehaving {

struct mode
{
    const char* name;
    // Names of its arguments, for --help; in brackets what may be left out.
    const char* arguments;
    const char* help;
    // May return: then the server is polite for the rest of its life. `args` has as many elements
    // as `arguments` says, defaults are the mode's business.
    void (*run)(conversation& client, const std::vector<std::string>& args);
    std::size_t least_arguments;
};

// Modes that end, fall silent, or stay when they should go.
std::vector<mode> endings();

// Modes that say the wrong thing.
std::vector<mode> utterances();

// Argument `index` as a number, or `otherwise` if it is missing.
long number(const std::vector<std::string>& args, std::size_t index, long otherwise);

} // namespace misbehaving
