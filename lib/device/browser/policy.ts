/** Notices whether a page's Content-Security-Policy stands between it and a server. */
export interface PolicyWatch {
  /** Whether it did; to be asked after a request has failed. */
  isViolated(): Promise<boolean>;
  /** Stops watching. */
  end(): void;
}

/** Watches for one URL, where there is a page. */
export function watchPolicy(url: string): PolicyWatch {
  if (typeof document === 'undefined') return { isViolated: async () => false, end: () => {} };
  let isViolated = false;
  const { origin } = new URL(url);
  const note = ({ blockedURI, effectiveDirective }: SecurityPolicyViolationEvent) => {
    isViolated ||= effectiveDirective === 'connect-src' && blockedURI.startsWith(origin);
  };
  document.addEventListener('securitypolicyviolation', note);
  return {
    isViolated: async () => {
      // The event comes in a task of its own, which may be after the request's failure.
      await new Promise((resolve) => setTimeout(resolve, 10));
      return isViolated;
    },
    end: () => document.removeEventListener('securitypolicyviolation', note),
  };
}
