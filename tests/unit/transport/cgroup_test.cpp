// Control groups, by the texts in which the kernel tells of them.
#include "transport/cgroup.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

#include <stdlib.h>

using namespace mcp_pool::transport;

namespace {

namespace fs = std::filesystem;

constexpr const char* unified_mounts =
    "22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
    "29 22 0:25 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    "30 22 0:26 / /sys/kernel/debug rw - debugfs debugfs rw\n";

constexpr const char* old_mounts =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro master:3 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:32 /docker/ab /sys/fs/cgroup/memory ro master:4 - cgroup cgroup rw,memory\n"
    "34 31 0:33 / /mnt/odd\\040place/pids ro - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

// A tree of groups that a test may write.
struct groups
{
    fs::path top;

    groups()
    {
        std::string name = (fs::temp_directory_path() / "mcp_pool_XXXXXX").native();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        top = name;
    }
    ~groups() { fs::remove_all(top); }

    void write(const std::string& file, const std::string& text) const
    {
        fs::create_directories((top / file).parent_path());
        std::ofstream(top / file) << text;
    }

    [[nodiscard]] cgroup_place at(const std::string& directory) const
    {
        cgroup_place place;
        place.top = top.native();
        place.directory = top.native() + directory;
        return place;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(control_groups)

BOOST_AUTO_TEST_CASE(a_group_of_the_unified_hierarchy_is_found)
{
    const auto place = find_cgroup("memory", "0::/system.slice/app.service\n", unified_mounts);
    BOOST_TEST_REQUIRE(place.has_value());
    BOOST_TEST(place->unified);
    BOOST_TEST(place->top == "/sys/fs/cgroup");
    BOOST_TEST(place->directory == "/sys/fs/cgroup/system.slice/app.service");
    const auto root = find_cgroup("pids", "0::/\n", unified_mounts);
    BOOST_TEST_REQUIRE(root.has_value());
    BOOST_TEST(root->directory == "/sys/fs/cgroup");
}

BOOST_AUTO_TEST_CASE(a_controller_with_a_hierarchy_of_its_own_is_found_there)
{
    const std::string cgroups = "9:pids:/a b\n4:memory:/docker/ab/inner\n1:cpu,cpuacct:/docker/ab\n"
                                "2:name=systemd:/x\n0::/y\n";
    const auto memory = find_cgroup("memory", cgroups, old_mounts);
    BOOST_TEST_REQUIRE(memory.has_value());
    BOOST_TEST(!memory->unified);
    BOOST_TEST(memory->top == "/sys/fs/cgroup/memory");
    BOOST_TEST(memory->directory == "/sys/fs/cgroup/memory/inner");
    const auto cpu = find_cgroup("cpuacct", cgroups, old_mounts);
    BOOST_TEST_REQUIRE(cpu.has_value());
    BOOST_TEST(cpu->directory == "/sys/fs/cgroup/cpu,cpuacct");
    const auto pids = find_cgroup("pids", cgroups, old_mounts);
    BOOST_TEST_REQUIRE(pids.has_value());
    BOOST_TEST(pids->directory == "/mnt/odd place/pids/a b");
    // No version 1 hierarchy has it: it is in the unified one.
    const auto io = find_cgroup("io", cgroups, old_mounts);
    BOOST_TEST_REQUIRE(io.has_value());
    BOOST_TEST(io->directory == "/sys/fs/cgroup/unified/y");
}

BOOST_AUTO_TEST_CASE(what_is_out_of_sight_is_seen_by_what_is_visible_above_it)
{
    const auto place = find_cgroup("memory", "4:memory:/elsewhere/c\n", old_mounts);
    BOOST_TEST_REQUIRE(place.has_value());
    BOOST_TEST(place->directory == "/sys/fs/cgroup/memory");
    // A name that begins like the root of the mount is another group.
    const auto beside = find_cgroup("memory", "4:memory:/docker/abc\n", old_mounts);
    BOOST_TEST(beside->directory == "/sys/fs/cgroup/memory");
}

BOOST_AUTO_TEST_CASE(where_there_is_nothing_nothing_is_found)
{
    BOOST_TEST(!find_cgroup("memory", "", unified_mounts));
    BOOST_TEST(!find_cgroup("memory", "0::/a\n", ""));
    BOOST_TEST(!find_cgroup("memory", "garbage\n::\n", "more garbage\n1 2 3 4 5 - cgroup2\n"));
    BOOST_TEST(!find_cgroup("memory", "4:memory:/a\n", unified_mounts));
}

BOOST_AUTO_TEST_CASE(kills_for_want_of_memory_are_read_from_both_kinds_of_files)
{
    BOOST_TEST(oom_kills_in("low 0\nhigh 3\nmax 9\noom 2\noom_kill 17\noom_group_kill 1\n").value()
        == 17U);
    BOOST_TEST(oom_kills_in("oom_kill_disable 0\nunder_oom 0\noom_kill 2").value() == 2U);
    BOOST_TEST(!oom_kills_in("oom_kill_disable 0\nunder_oom 0\n"));
    BOOST_TEST(!oom_kills_in("oom_kill x\n"));
    BOOST_TEST(!oom_kills_in(""));
}

BOOST_AUTO_TEST_CASE(the_least_of_the_limits_on_the_way_up_counts)
{
    const groups g;
    BOOST_TEST(!most_tasks(g.at("/a/b")));
    g.write("a/b/pids.max", "max\n");
    BOOST_TEST(!most_tasks(g.at("/a/b")));
    g.write("a/pids.max", "500\n");
    BOOST_TEST(most_tasks(g.at("/a/b")).value() == 500U);
    g.write("a/b/pids.max", "700\n");
    BOOST_TEST(most_tasks(g.at("/a/b")).value() == 500U);
    g.write("pids.max", "300\n");
    BOOST_TEST(most_tasks(g.at("/a/b")).value() == 300U);
    BOOST_TEST(most_tasks(g.at("")).value() == 300U);
}

BOOST_AUTO_TEST_CASE(a_file_is_read_up_to_a_bound)
{
    const groups g;
    g.write("large", std::string(10'000, 'x'));
    BOOST_TEST(read_text((g.top / "large").native(), 100'000).size() == 10'000U);
    BOOST_TEST(read_text((g.top / "large").native(), 5'000).size() == 5'000U);
    BOOST_TEST(read_text((g.top / "none").native(), 5'000).empty());
}

BOOST_AUTO_TEST_SUITE_END()
