// misbehaving-server: an MCP server that does one thing wrong, for the tests.
#include "modes.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using namespace misbehaving;

std::vector<mode> all_modes()
{
    auto all = endings();
    const auto more = utterances();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

void print_help()
{
    std::puts(
        "Usage: misbehaving-server [--modern] MODE [ARGUMENT]...\n"
        "An MCP server over standard input and output that does one thing wrong and is polite\n"
        "otherwise: revision 2025-11-25, or 2026-07-28 with --modern.\n\n"
        "STAGE is \"start\" or the method of a message, e.g. server/discover, initialize,\n"
        "notifications/initialized, tools/call, ping.\n\nModes:\n"
        "  polite\n      does nothing wrong");
    for (const mode& m : all_modes()) {
        std::printf("  %s %s\n      %s\n", m.name, m.arguments, m.help);
    }
}

int usage_error(const char* what)
{
    std::fprintf(stderr, "misbehaving-server: %s\nTry 'misbehaving-server --help'.\n", what);
    return 2;
}

} // namespace

long misbehaving::number(const std::vector<std::string>& args, std::size_t index, long otherwise)
{
    return index < args.size() ? std::strtol(args[index].c_str(), nullptr, 10) : otherwise;
}

int main(int argc, char** argv)
{
    std::vector<std::string> args(argv + 1, argv + argc);
    conversation client;
    if (!args.empty() && args[0] == "--help") {
        print_help();
        return 0;
    }
    if (!args.empty() && args[0] == "--modern") {
        client.modern = true;
        args.erase(args.begin());
    }
    if (args.empty()) {
        return usage_error("a mode is missing");
    }
    const std::string name = args[0];
    args.erase(args.begin());
    if (name == "polite") {
        client.serve();
    }
    for (const mode& m : all_modes()) {
        if (name == m.name) {
            if (args.size() < m.least_arguments) {
                return usage_error("an argument is missing");
            }
            m.run(client, args);
            client.serve();
        }
    }
    return usage_error("unknown mode");
}
