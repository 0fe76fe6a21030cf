# Runs before the commands of a document, see documents.rs. The functions replace programs that a test can't run
# unchanged. ROOT is the repository, WORK a folder for logs, PORT that of the server.
set -Eeuo pipefail
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
trap 'for pid in "${servers[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done' EXIT
servers=()

# start ARGUMENTS...: starts a server, and waits until it accepts connections. Sets `pid` and `output`.
start() {
  local log="$WORK/${#servers[@]}.log" line=
  exec {output}< <(exec latchkey serve "$@" 2>"$log")
  pid=$!
  servers+=("$pid")
  until [[ $line == 'listening on '* ]]; do
    read -r line <&"$output" || { cat "$log" >&2; return 1; }
  done
}

# A server that a document starts runs until the document ends, with a database of its own.
latchkey() {
  if [ "$1" != serve ]; then command latchkey "$@"; return; fi
  shift
  LATCHKEY_LISTEN=127.0.0.1:0 LATCHKEY_DATABASE_URL="sqlite:$WORK/${#servers[@]}.db" start "$@"
}

# The keys of GitHub, instead of which the test has another one.
curl() {
  case "$*" in
    *https://api.github.com/meta/public_keys/secret_scanning*)
      printf '{"public_keys": [{"key_identifier": "a", "key": "%s", "is_current": true}]}' "$REPORT_KEY"
      ;;
    *) command curl "$@" ;;
  esac
}
REPORT_KEY='-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBvcZbMnx2Fc0241cLryq2AqJcyHN\nkctZn8+9cDqTfbDiOEqAPXNAcQQQhsgmJkNOPqIvE0gDWlizELWAckYLwQ==\n-----END PUBLIC KEY-----'

systemctl() {
  case "$*" in
    'start latchkey')
      LATCHKEY_LISTEN="127.0.0.1:$PORT" start
      main=$pid main_output=$output
      ;;
    'stop latchkey')
      # SIGINT skips the time for load balancers. The output ends with the server.
      kill -INT "$main"
      cat <&"$main_output" >/dev/null
      ;;
    'restart latchkey')
      systemctl stop latchkey
      export LATCHKEY_CONFIG=$PWD/latchkey.toml
      systemctl start latchkey
      ;;
    *) echo "systemctl $*: the test can't do this" >&2; return 1 ;;
  esac
}

# make, cargo and npx would take minutes. They only check that there is what a command names.
make() { env -u MAKEFLAGS -u MAKELEVEL make --dry-run --directory "$ROOT" "$@" >/dev/null; }

cargo() {
  local options=() bench=
  case "$1" in
    bench | build | run | test) shift ;;
    *) echo "cargo $*: the test doesn't know this command" >&2; return 1 ;;
  esac
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case "$1" in
      --locked) ;;
      -p | --package) options+=(--package "$2"); shift ;;
      --features) options+=(--features "$2"); shift ;;
      --bench) bench=$2; shift ;;
      *) echo "cargo: the test doesn't know the option $1" >&2; return 1 ;;
    esac
    shift
  done
  (cd "$ROOT" && command cargo tree --quiet --locked --offline --depth 0 "${options[@]}" >/dev/null)
  [ -z "$bench" ] || grep --quiet --line-regexp "name = \"$bench\"" "$ROOT"/server/Cargo.toml "$ROOT"/server/service/Cargo.toml "$ROOT"/server/verifier/Cargo.toml
}

npx() {
  [ "$1 $2" = 'playwright test' ] && [ -f "$3" ] || { echo "npx $*: the test can't find this" >&2; return 1; }
}

# with_postgres COMMAND...: replaces end2end/bin/postgres.
with_postgres() { [ -x "$ROOT/end2end/bin/postgres" ] && "$@"; }

systemctl start latchkey
