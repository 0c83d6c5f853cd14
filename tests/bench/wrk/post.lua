-- One sample a request, values and seconds moving. ADDRESSES > 0: from so many client
-- addresses (X-Forwarded-For, for a server that trusts this host).
local addresses = tonumber(os.getenv("ADDRESSES") or "0")
local n = 0
function request()
    n = n + 1
    local headers = { ["Content-Type"] = "application/json" }
    if addresses > 0 then
        local a = math.random(0, addresses - 1)
        headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", math.floor(a / 65536),
            math.floor(a / 256) % 256, a % 256)
    end
    local body = string.format('{"timestamp":"2026-02-21T12:%02d:%02dZ","value":%d.25,"type":"bench_post"}',
        math.floor(n / 60) % 60, n % 60, n % 1000)
    return wrk.format("POST", "/api/metrics", headers, body)
end
