module meshpki/istiod-judge

go 1.24
