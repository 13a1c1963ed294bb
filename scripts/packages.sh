# Sourced by `run` and `.ci/run`: finds out which packages of the system are missing and installs
# them. Says what it does before it does it, removes nothing, needs no root where nothing is missing.

# What a build needs, besides Boost.
build_packages=(g++ cmake ninja-build ccache git libssl-dev)
# The parts of Boost: libboost<version>-dev and these.
boost_parts=(json test url)

is_installed()
{
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]
}

# The version part in the names of Boost's packages that fits this system; empty for the packages
# without a version, which is right where the system's default is new enough.
boost_version()
{
    local package version
    # One that is here already wins: two versions cannot stand beside each other.
    while read -r package; do
        version=${package#libboost}
        version=${version%-dev}
        if [[ $version =~ ^1\.([0-9]+)$ ]] && ((BASH_REMATCH[1] >= 81)) && is_installed "$package"; then
            echo "$version"
            return
        fi
    done < <(dpkg-query -W -f '${Package}\n' 'libboost1.*-dev' 2>/dev/null)
    # Debian 12 has 1.74 as its default and 1.81 beside it.
    case $system in
        debian-12) echo 1.81 ;;
    esac
}

# Sets `system` to the name of a supported system, or to nothing.
detect_system()
{
    system=
    [[ -r /etc/os-release ]] && command -v dpkg-query >/dev/null || return 0
    local ID='' VERSION_ID=''
    # shellcheck disable=SC1091
    . /etc/os-release
    case $ID in
        debian) [[ $VERSION_ID =~ ^[0-9]+$ ]] && ((VERSION_ID >= 12)) && system=debian-$VERSION_ID ;;
        ubuntu) [[ $VERSION_ID =~ ^([0-9]+)\. ]] && ((BASH_REMATCH[1] >= 24)) && system=ubuntu-$VERSION_ID ;;
    esac
    return 0
}

as_root()
{
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install()
{
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-remove --no-install-recommends "$@"
}

# The headers of Valijson out of their package, into the tree: the package itself wants Qt and 68 others
# beside it, for adapters that nobody here needs. Without them the library checks no outputSchema, and
# says so; in CI that would go unnoticed.
need_valijson()
{
    local into=build/packages
    [[ ! -e /usr/include/valijson/validator.hpp && ! -e $into/usr/include/valijson/validator.hpp ]] \
        || return 0
    mkdir -p "$into"
    echo 'Unpacking the headers of libvalijson-dev into build/packages.'
    if (cd "$into" && apt-get download --quiet libvalijson-dev) >"$into/log" 2>&1 \
        && dpkg-deb --extract "$into"/libvalijson-dev_*.deb "$into" >>"$into/log" 2>&1; then
        return 0
    fi
    cat "$into/log" >&2
    echo 'The headers of Valijson could not be had: this build will check no outputSchema.' >&2
    [[ ${CI:-} != true ]]
}

# need_packages [PACKAGE...]: what a build needs and these packages.
need_packages()
{
    detect_system
    if [[ -z $system ]]; then
        cat >&2 <<'EOF'
This command knows Debian 12 and later and Ubuntu 24.04 and later. Elsewhere, install
    a C++20 compiler (g++ 12 or later, clang 19 or later), CMake 3.25 or later, Ninja,
    Boost 1.81 or later with Boost.JSON, Boost.Test and Boost.URL, OpenSSL 3.0 or later,
and use the CMake presets: cmake --workflow --preset dev
EOF
        exit 2
    fi

    local boost package missing=()
    boost=$(boost_version)
    local wanted=("${build_packages[@]}" "libboost$boost-dev")
    for package in "${boost_parts[@]}"; do
        wanted+=("libboost-$package$boost-dev")
    done
    wanted+=("$@")
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        need_valijson
        return
    fi

    echo "Missing packages: ${missing[*]}"
    if ((EUID != 0)) && ! command -v sudo >/dev/null; then
        echo "Become root and run: apt-get install --no-remove --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    if [[ -t 0 && ${CI:-} != true ]]; then
        local answer
        read -rp 'Install them now, removing nothing? [Y/n] ' answer
        if [[ $answer == [nN]* ]]; then
            echo 'Nothing was installed.' >&2
            exit 1
        fi
    fi
    # The lists may be missing, or so old that they name files which are gone.
    if ! apt-cache show "${missing[@]}" >/dev/null 2>&1 || ! apt_install "${missing[@]}"; then
        echo 'Refreshing the package lists.'
        as_root apt-get update --quiet || true
        if ! apt_install "${missing[@]}"; then
            echo "Could not install: ${missing[*]}" >&2
            if is_installed libboost1.74-dev; then
                echo "libboost1.74-dev is installed and cannot stand beside libboost$boost-dev;" \
                    "remove it first, or build in a container." >&2
            fi
            exit 1
        fi
    fi
    need_valijson
}
