limit = 1_000_000
sieve = bytearray([1]) * (limit + 1)
sieve[0] = sieve[1] = 0
for number in range(2, int(limit**0.5) + 1):
    if sieve[number]:
        sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
print(sum(sieve), "primes up to", limit)
