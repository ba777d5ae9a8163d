# Finds the interpreters of an image and asks each for its version, in a container of it. Arguments: the questions to
# Python, and to an R that is under development.
python=$1
r=$2
seen=:
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
trap 'exit 130' INT TERM

# The answer to one question. An executable that hangs is given up: not every image has `timeout`.
asked() {
    "$@" </dev/null 2>/dev/null &
    child=$!
    (
        sleep 20 &
        trap 'kill $!; exit' TERM
        wait $! && kill -9 "$child"
    ) >/dev/null 2>&1 &
    guard=$!
    wait "$child"
    status=$?
    kill "$guard" 2>/dev/null
    printf '\n=offhost= end %s\n' "$status"
}

one() {
    case $seen in
        *":$2:"*) return ;;
    esac
    seen=$seen$2:
    [ -f "$2" ] || return
    if [ ! -x "$2" ]; then
        printf '=offhost= closed %s %s\n' "$1" "$2"
        return
    fi
    if [ "$1" = python ]; then
        said=$(asked "$2" -I -S -c "$python")
    else
        said=$(asked "$2" --version)
    fi
    case $1:$said in
        "r:R Under development"*)
            printf '=offhost= own %s %s\n' "$1" "$2"
            asked "$2" --vanilla --no-echo -e "$r"
            ;;
        *) printf '=offhost= begin %s %s\n%s\n' "$1" "$2" "$said" ;;
    esac
}

# `bin/PROGRAM` below each of the directories; links after directories, so that each is found under its own name.
below() {
    language=$1
    program=$2
    shift 2
    for kind in directory link; do
        for home in "$@"; do
            found=directory
            [ ! -L "$home" ] || found=link
            [ "$kind" != "$found" ] || one "$language" "$home/bin/$program"
        done
    done
}

on_path() {
    old=$IFS
    IFS=:
    for directory in $PATH; do
        IFS=$old
        one "$1" "$directory/$2"
    done
    IFS=$old
}

below r R /opt/R/* /opt/local/R/*
on_path r R
below r R /usr/lib/R /usr/lib64/R /usr/local/lib/R /usr/local/lib64/R /opt/local/lib/R /opt/local/lib64/R
below python python3 /opt/python/*
on_path python python3
below quarto quarto /opt/quarto/*
on_path quarto quarto
below nodejs node /opt/nodejs/* /opt/node/*
on_path nodejs node
printf '=offhost= done\n'
