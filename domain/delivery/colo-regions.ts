/**
 * Which of our regions serves the clients of a Cloudflare location ("colo", an IATA code; the list of locations is
 * Cloudflare's network page). The region decides trusted rule conditions, so it may come from nowhere else in production.
 * A change of the table moves clients between regions: raise the version and say so in the release notes.
 */
export const COLO_TABLE_VERSION = 1;

const COLOS_BY_REGION: Record<string, string> = {
  "us-east-1":
    "ABQ ANC ATL AUS BGR BNA BOS BUF CLE CLT CMH DEN DFW DTW EWR FSD HNL IAD IAH IND JAX JFK LAS LAX MCI MEM MFE MIA " +
    "MSP OKC OMA ORD ORF PDX PHL PHX PIT RDU RIC SAN SAT SDF SEA SFO SJC SLC SMF STL TLH TPA YHZ YOW YUL YVR YWG YXE YYC YYZ " +
    "ARI ASU BAQ BEL BGI BNU BOG BSB CAW CFC CGB CLO CNF COR CUR CWB EZE FLN FOR GDL GEO GIG GND GRU GUA GYE GYN ITJ JDO JOI " +
    "KIN LIM LPB MAO MDE MEX MVD NQN NVT PBM PMW POA POS PTY QRO QWJ RAO REC SAP SCL SDQ SJK SJO SJP SJU SOD SSA STI TGU UDI " +
    "UIO VCP VIX XAP",
  "eu-central-1":
    "ADB AMS ARN ATH BCN BEG BER BOD BRU BTS BUD CDG CPH DME DUB DUS EDI ESB FCO FRA GOT GVA HAM HEL IST KBP KEF KIV KJA LED " +
    "LHR LIS LUX LYS MAD MAN MRS MSQ MUC MXP NCE OSL OTP PMO PRG RIX SKG SKP SOF STR SVX SXB TIA TLL VIE VNO WAW ZAG ZRH LCA " +
    "AAE ABJ ACC ADD ALG ASK BGF BJL CAI CPT DAR DKR DUR EBB FIH GBE HRE JIB JNB KGL LAD LOS LUN MBA MPM MRU NBO " +
    "ORN OUA RUN TNR TUN WDH AMM BAH BEY BGW BSR DMM DOH DXB EBL EVN GYD HFA ISU JED KWI LLK MCT NJF RUH TBS TLV XNH ZDM BAK " +
    "ALA NQZ FRU TAS",
  "ap-southeast-2":
    "ADL AKL BNE CBR CHC HBA MEL NOU PER PPT SUV SYD GUM BKK BWN CEB CGK CGY CNX CRK DAD DPS HAN JHB JOG KCH KUL MLE MNL PNH " +
    "SGN SIN VTE RGN URT YRC FUK HKG ICN KIX MFM NRT OKA TPE KHH ULN AMD BBI BLR BOM CCU CNN COK DAC DEL HYD IXC JSR KNU " +
    "LHE KHI ISB MAA NAG PAT PBH CMB KTM",
  "cn-chengdu": "CTU TFU CKG KMG KWE LXA XIY LHW XNN INC URC NNG HAK SYX KWL CSX YIH",
  "cn-shanghai":
    "SHA PVG HGH NKG WUX CZX FUO FOC XMN CAN SZX ZUH DGM TNA TAO CGO WUH HFE KHN PEK PKX TSN TYN SJW HET SHE DLC CGQ HRB JXG " +
    "NTG YTY LYA XFN JDZ WHU HYN LYG",
};

const REGION_BY_COLO = new Map(
  Object.entries(COLOS_BY_REGION).flatMap(([region, colos]) =>
    colos.split(" ").map((colo) => [colo, region]),
  ),
);

/**
 * The region of a Cloudflare location, when it is among `regions`; otherwise the default, which is the first of them
 * (a new location, or a region that this installation does not have).
 */
export function regionOfColo(colo: string | undefined, regions: readonly string[]): string {
  const region = colo === undefined ? undefined : REGION_BY_COLO.get(colo);
  const fallback = regions[0];
  if (fallback === undefined) throw new RangeError("no region is configured");
  return region !== undefined && regions.includes(region) ? region : fallback;
}
