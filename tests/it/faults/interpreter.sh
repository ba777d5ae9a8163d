#!/bin/sh
# Stands in for Python and R in tests that are about processes, files and faults, not about what an interpreter
# computes: it tells a version as they do, makes environments and packages piece by piece, and renders several files.
# What the content wants besides is in its own code.sh.
set -eu

case "$*" in
*version_info*)
    printf '3.11.2\n%s\n' "$0"
    exit
    ;;
--version)
    echo 'R version 4.2.2 (2022-10-31) -- "Innocent and Trusting"'
    exit
    ;;
esac

starter='' env='' output_dir='' packages=''
while [ $# -gt 0 ]; do
    case $1 in
    */install_python.py | */install_r.R | */render_notebook.py | */render_rmd.R) starter=${1##*/} ;;
    --env) env=$2 && shift ;;
    --output-dir) output_dir=$2 && shift ;;
    --packages) packages=$2 && shift ;;
    esac
    shift
done

pause() { sleep 0.02; }
lines() { yes "$1" | head -n 400; }
# Tells the test that this place is reached, and waits until it may go on.
meet() {
    touch "$FAULTS_SYNC/$1.reached"
    while [ ! -e "$FAULTS_SYNC/$1.go" ]; do sleep 0.01; done
}
before_install() { :; }
before_render() { :; }
after_render() { :; }
if [ -f code.sh ]; then
    # shellcheck source=/dev/null
    . ./code.sh
fi

install_python() {
    before_install
    id -u >"$env/installed-by"
    mkdir "$env/lib" "$env/bin"
    for part in 1 2 3 4; do
        lines "part $part of $(cat requirements.txt)" >"$env/lib/part-$part"
        pause
    done
    cp "$0" "$env/bin/python"
}

install_r() {
    before_install
    awk '/^Package: /{p=$2} /^Hash: /{h=$2} /^Cached: /{print p, h, $2}' "$packages" |
        while read -r name hash cached; do
            [ "$cached" = no ] || continue
            place=/opt/rstudio-connect/mnt/R/v2/library/$name/$hash/$name
            mkdir -p "$place/R"
            lines "code of $name" >"$place/R/$name"
            pause
            printf 'Package: %s\n' "$name" >"$place/DESCRIPTION"
        done
}

render() {
    before_render
    stamp=$(cat stamp.txt)
    for part in 1 2 3 4 5 6; do
        lines "part $part of $stamp" >"$output_dir/part-$part.html"
        pause
    done
    lines "index of $stamp" >"$output_dir/index.html"
    after_render
}

echo "$starter runs"
case $starter in
install_python.py) install_python ;;
install_r.R) install_r ;;
render_*) render ;;
*)
    echo "what is to be done is not known: $*" >&2
    exit 99
    ;;
esac
