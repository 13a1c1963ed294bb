#include "unit/house/snippets.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace mcp_pool::house {
namespace {

std::string read(const std::filesystem::path& path)
{
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw std::runtime_error("there is no " + path.string());
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string without_indentation(const std::vector<std::string>& lines)
{
    std::size_t common = std::string::npos;
    for (const std::string& line : lines)
        common = std::min(common, line.find_first_not_of(' '));
    std::string text;
    for (const std::string& line : lines) {
        if (line.find_first_not_of(' ') != std::string::npos)
            text += line.substr(common);
        text += '\n';
    }
    return text;
}

bool is_checked(const std::string& language)
{
    return language == "cpp" || language == "c++" || language == "cmake";
}

} // namespace

std::string snippet(const std::string& source, const std::string& name)
{
    std::istringstream in(source);
    std::string line;
    std::vector<std::string> lines;
    bool inside = false;
    while (std::getline(in, line)) {
        if (line.find("[snippet: " + name + "]") != std::string::npos)
            inside = true;
        else if (inside && line.find("[snippet end]") != std::string::npos)
            return without_indentation(lines);
        else if (inside)
            lines.push_back(line);
    }
    throw std::runtime_error("no snippet '" + name + "'");
}

std::vector<std::string> stale_snippets(
    const std::string& document, const std::string& markdown, const std::filesystem::path& top)
{
    static const std::regex mark(R"(<!-- snippet: (\S+) (\S+) -->)");
    static const std::regex fence(R"(^```(\S*)$)");
    static const std::regex link(R"(\]\(([^)#:\s]+)(#[^)]*)?\))");

    std::vector<std::string> stale;
    std::istringstream in(markdown);
    std::string line;
    std::string former;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        const std::string place = document + ":" + std::to_string(number) + ": ";
        std::smatch match;
        if (std::regex_match(line, match, fence)) {
            const std::string language = match[1].str();
            std::string block;
            while (std::getline(in, line) && ++number && line != "```")
                block += line + '\n';
            std::smatch source;
            if (!is_checked(language))
                continue;
            if (!std::regex_match(former, source, mark)) {
                stale.push_back(place + "a block of code that is taken from nowhere");
                continue;
            }
            try {
                if (block != snippet(read(top / source[1].str()), source[2].str()))
                    stale.push_back(place + "differs from " + source[1].str());
            } catch (const std::runtime_error& e) {
                stale.push_back(place + source[1].str() + ": " + e.what());
            }
            continue;
        }
        for (std::sregex_iterator at(line.begin(), line.end(), link), end; at != end; ++at) {
            const auto target = (top / document).parent_path() / (*at)[1].str();
            if (!std::filesystem::exists(target))
                stale.push_back(place + "leads to " + (*at)[1].str() + ", which does not exist");
        }
        former = line;
    }
    return stale;
}

} // namespace mcp_pool::house
