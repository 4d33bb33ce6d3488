# Sourced by tests/cli/*.sh: report NAME FOUND passes when FOUND is empty, else prints it and sets failed=1.
failed=0
report() {
    if [ -z "$2" ]; then
        echo "[       OK ] $1"
    else
        echo "$2"
        echo "[  FAILED  ] $1"
        failed=1
    fi
}
