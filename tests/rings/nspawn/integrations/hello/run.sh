# Says who it is, for the ring's scenarios.
echo "hello from $(id -u)" >&2
echo '{"said":"hello"}'
