# Says that it was given its secret, without printing it.
[ "$PAN_SEC_SHOP_API_KEY" = ring-secret-4711 ] || exit 1
echo '{"had":"it"}'
