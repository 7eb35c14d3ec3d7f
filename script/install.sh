# What the scripts install; read by them with `.`, in the repository's root and with `work` set.

# python_env NAME REQUIREMENT…: a virtual environment of that name with the requirements in it.
python_env() {
    local name=$1
    shift
    if [ ! -x "$work/$name/bin/pip" ]; then
        python3 -c 'import ensurepip' 2>/dev/null || system python3-venv || return
        python3 -m venv --clear "$work/$name" || return
    fi
    "$work/$name/bin/pip" install -q --disable-pip-version-check "$@"
}

# system PACKAGE…: installs what is missing of these Debian packages.
system() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    "${root[@]}" sh -c \
        'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"' sh "${missing[@]}"
}
