# How the measuring ground starts this gateway. Sourced by a bench that sets RUN (an empty folder), UPSTREAM, UP53_ADDR,
# UP53_PORT, UPDOT_PORT, CERT, KEY, CA, UDP_PORT, DOT_PORT, DOQ_PORT, DOH_PORT and H3_PORT, and PROJECT (the checkout).
ports() { UDP_PORT=5420 DOT_PORT=5421 DOQ_PORT=5423 DOH_PORT=5422 H3_PORT=5422; }
start() {
  local upstream="url = \"udp://$UP53_ADDR:$UP53_PORT\""
  [ "$UPSTREAM" = dot ] && upstream="url = \"tls://127.0.0.1:$UPDOT_PORT#localhost\"
ca_file = \"$CA\""
  cat >"$RUN/sallyport.toml" <<C
[server]
listen = ["udp://127.0.0.1:$UDP_PORT", "tcp://127.0.0.1:$UDP_PORT", "tls://127.0.0.1:$DOT_PORT", "quic://127.0.0.1:$DOQ_PORT",
  "https://127.0.0.1:$DOH_PORT", "h3://127.0.0.1:$H3_PORT"]
allow = ["127.0.0.0/8"]
workers = ${WORKERS:-1}
state_directory = "$RUN/state"
forward_special_names = ["test"]
[limits]
idle_timeout = "60s"
sessions_per_client = 10000
queries_per_session = 1000
[cache]
size = "128 MiB"
[[upstream]]
$upstream
[[certificate]]
chain_file = "$CERT"
key_file = "$KEY"
[admin]
listen = ""
C
  exec "${SALLYPORT:-$PROJECT/build/release/sallyport}" run --config "$RUN/sallyport.toml"
}
