-- One sample a request, values and seconds moving. ADDRESSES > 0: from so many client
-- addresses (X-Forwarded-For, for a server that trusts this host). LATE: of now, but for so
-- many percent, which are of a random second of the past week.
local addresses = tonumber(os.getenv("ADDRESSES") or "0")
local late = tonumber(os.getenv("LATE"))
local n = 0
function request()
    n = n + 1
    local headers = { ["Content-Type"] = "application/json" }
    if addresses > 0 then
        local a = math.random(0, addresses - 1)
        headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", math.floor(a / 65536),
            math.floor(a / 256) % 256, a % 256)
    end
    if late then
        local at = os.time()
        if math.random(100) <= late then
            at = at - math.random(0, 604799)
        end
        return wrk.format("POST", "/api/metrics", headers,
            string.format('{"timestamp":%d,"value":%d.25,"type":"bench_late"}', at, n % 1000))
    end
    local body = string.format('{"timestamp":"2026-02-21T12:%02d:%02dZ","value":%d.25,"type":"bench_post"}',
        math.floor(n / 60) % 60, n % 60, n % 1000)
    return wrk.format("POST", "/api/metrics", headers, body)
end
